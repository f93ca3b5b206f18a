# ganbench on NVIDIA GPUs; by itself it runs the demo. torch's own wheels bring CUDA, so the host needs
# the driver and NVIDIA's container toolkit alone. From the repository's top:
#     docker build -f containers/cuda.Dockerfile -t ganbench:cuda .
#     docker run --rm --gpus all --user "$(id -u)" -v "$PWD/results:/bench/results" ganbench:cuda
# A release's version is told by --build-arg VERSION=1.2.3, as the image sees no tags.
FROM python:3.12-slim

RUN pip install --no-cache-dir torch torchvision

COPY . /src
ARG VERSION=""
RUN SETUPTOOLS_SCM_PRETEND_VERSION="$VERSION" pip install --no-cache-dir /src && rm -rf /src

# GPUs are handed in by the toolkit, as these say.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

# Whoever it runs as has no home here, and may write into the mounted folder alone.
ENV GANBENCH_CACHE=/tmp/ganbench
RUN install -d -m 1777 /bench
USER nobody
WORKDIR /bench
ENTRYPOINT ["ganbench"]
CMD ["run", "cgan_mnist"]
