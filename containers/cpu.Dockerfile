# ganbench without a GPU; by itself it runs the demo. From the repository's top:
#     docker build -f containers/cpu.Dockerfile -t ganbench .
#     docker run --rm --user "$(id -u)" -v "$PWD/results:/bench/results" ganbench
# A release's version is told by --build-arg VERSION=1.2.3, as the image sees no tags.
FROM python:3.12-slim

RUN pip install --no-cache-dir torch torchvision --index-url https://download.pytorch.org/whl/cpu

COPY . /src
ARG VERSION=""
RUN SETUPTOOLS_SCM_PRETEND_VERSION="$VERSION" pip install --no-cache-dir /src && rm -rf /src

# Whoever it runs as has no home here, and may write into the mounted folder alone.
ENV GANBENCH_CACHE=/tmp/ganbench
RUN install -d -m 1777 /bench
USER nobody
WORKDIR /bench
ENTRYPOINT ["ganbench"]
CMD ["run", "cgan_mnist"]
