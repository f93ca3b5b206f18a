"""`ganbench plugins` and its commands, and who may import code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from helpers import tiny

from ganbench.cli import cli

WRONG = '''\
"""A loss whose generator is told the wrong way."""

from dataclasses import dataclass

from ganbench import Loss, hookimpl


@dataclass(kw_only=True)
class Wrong(Loss):
    """Wrong (Nobody et al., 2020)."""

    name = "wrong"
    strength: float = 1.0
    sizes: tuple[int, ...] = (1, 2)

    def discriminator_loss(self, step):
        return {"critic": step.fake.logits.mean() - step.real.logits.mean()}

    def generator_loss(self, step):
        return {"adversarial": self.strength * step.fake.logits.mean()}


@hookimpl
def register_losses(register):
    register(Wrong)
'''


@pytest.fixture(autouse=True)
def built_ins_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.py"
    path.write_text(WRONG, "utf-8")
    return path


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["plugins", *map(str, arguments)], standalone_mode=False)


def shown(*arguments: object) -> dict[str, Any]:
    (about,) = json.loads(invoke("show", *arguments, "--json").stdout)
    return about


def test_show_tells_options_declarations_and_origin() -> None:
    about = shown("wgan-gp")
    assert about["options"] == [
        {
            "name": "gp_weight",
            "type": "float",
            "required": False,
            "default": 10.0,
            "choices": None,
            "meaning": None,
        }
    ]
    assert about["declares"]["input_gradients"] == ["OWN"]
    assert about["declares"]["recipe"]["n_critic"] == 5
    assert (about["distribution"], about["sha256"]) == ("ganbench", None)
    text = invoke("show", "wgan-gp").stdout
    assert "Wasserstein GAN with gradient penalty (Gulrajani et al., 2017)." in text
    assert "gp_weight: float, default 10.0" in text
    assert "input_gradients: OWN" in text


def test_show_tells_what_options_take_and_mean() -> None:
    about = {option["name"]: option for option in shown("image-folder")["options"]}
    assert about["crop"]["choices"] == ["fit", "squash", "pad"]
    assert about["draft"]["choices"] is None
    assert about["max_bad"]["meaning"].startswith("so many files of a split may be unusable")
    assert about["draft"]["meaning"].startswith("Large JPEGs are decoded at about twice")
    text = invoke("show", "dcgan").stdout
    assert "upsampling: transposed or nearest, default transposed\n" in text
    assert "width: int, default 64\n      channels next to the image; doubled" in text


def test_no_built_in_plugin_shows_how_python_writes_an_object(plugins) -> None:
    for entry in plugins.entries():
        text = invoke("show", entry.name, "--kind", entry.kind).stdout
        assert f"{entry.kind} {entry.name}\n" in text
        assert " object>" not in text
        assert " object at 0x" not in text
        assert "<class" not in text


def test_show_tells_what_defaults_declare_where_options_decide() -> None:
    about = shown("gradient-penalty")["declares"]
    assert about["input_gradients"] == ["OWN"]
    assert (about["constrains"], about["unasked_norms"]) == (True, ["spectral"])


def test_show_tells_what_a_metric_claims() -> None:
    about = shown("fid")["declares"]
    passed = "mode-dropping-invention/purpose"
    assert about["claims"] == {"fid": {"measures": "distance", "passes": [passed]}}
    assert (about["version"], about["cheap"]) == (2, True)
    text = invoke("show", "fid").stdout
    assert f"claims: fid measures distance, passes {passed}\n" in text
    assert "claims: none\n" in invoke("show", "cas").stdout


def test_show_of_a_file_has_its_hash_and_its_types(wrong: Path) -> None:
    about = shown("wrong", "--plugin", wrong)
    assert [option["type"] for option in about["options"]] == ["float", "tuple[int, ...]"]
    assert len(about["sha256"]) == 64
    assert about["file"] == str(wrong)


def test_show_of_a_name_that_several_kinds_have_shows_all_of_them(wrong: Path) -> None:
    other = wrong.with_name("other.py")
    other.write_text(
        WRONG.replace("import Loss, hookimpl", "import Callback as Loss, hookimpl").replace(
            "register_losses", "register_callbacks"
        )
    )
    found = json.loads(
        invoke("show", "wrong", "--plugin", wrong, "--plugin", other, "--json").stdout
    )
    assert [about["kind"] for about in found] == ["loss", "callback"]
    assert shown("wrong", "--kind", "callback", "--plugin", wrong, "--plugin", other)


def test_unknown_name_is_a_sentence() -> None:
    done = invoke("show", "wgan-pg")
    assert "no plugin 'wgan-pg'; did you mean 'wgan-gp'?" in str(done.exception)
    done = invoke("check", "wgan-pg")
    assert "no plugin 'wgan-pg'; did you mean 'wgan-gp'?" in str(done.exception)


@pytest.mark.parametrize("name", ["bce", "concat", "fid", "ring", "csv"])
def test_built_in_passes_its_checks(name: str) -> None:
    done = invoke("check", name)
    assert done.return_value == 0, done.stdout
    assert "checks passed" in done.stdout


def test_check_says_what_to_change(wrong: Path) -> None:
    done = invoke("check", wrong)
    assert done.return_value == 1
    assert "generator_raises_fake_logits: loss 'wrong': raising the logits of fakes" in done.stdout
    (report,) = json.loads(invoke("check", wrong, "--json").stdout)
    broken = [check for check in report["checks"] if not check["passed"]]
    assert [check["check"] for check in broken] == ["generator_raises_fake_logits"]
    assert report["seconds"] > 0


def test_check_takes_options(tmp_path: Path, wrong: Path) -> None:
    assert invoke("check", wrong, "--set", "strength=-1").return_value == 0
    assert invoke("check", "image-folder", "--set", f"path={tmp_path}").return_value == 0
    done = invoke("check", "bce", "--set", "smoothing=1")
    assert "loss 'bce' has no option 'smoothing'" in str(done.exception)


def test_file_that_registers_nothing_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "nothing.py"
    path.write_text("x = 1\n")
    assert "implements no hook" in str(invoke("check", path).exception)


def test_benchmark_file_cannot_import_code_unasked(tmp_path: Path) -> None:
    (tmp_path / "bomb.py").write_text("open('exploded', 'w')\n" + WRONG)
    path = tiny.write(tmp_path, tiny.TINY.replace("[bce, lsgan]", "[wrong]"))
    path.write_text(path.read_text() + "plugins: [bomb.py]\n")
    refused = tiny.ganbench("plan", "tiny.yaml", "--no-estimate", cwd=tmp_path)
    assert refused.returncode == 2
    assert "tiny.yaml:13:1: this file asks to import code (bomb.py); where you" in refused.stderr
    seen = tiny.ganbench("datasets", "verify", "tiny.yaml", cwd=tmp_path)
    assert seen.returncode == 2
    assert "tiny.yaml:13:1: this file asks to import code (bomb.py); where you" in seen.stderr
    assert not (tmp_path / "exploded").exists()
    trusted = tiny.ganbench(
        "run", "tiny.yaml", "--allow-config-plugins", "--out", "run", cwd=tmp_path
    )
    assert trusted.returncode == 0, trusted.stderr
    about = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert about["execution"]["plugins"] == [str(tmp_path / "bomb.py")]
    assert any(p.startswith("bomb.py sha256:") for p in about["provenance"]["plugins"])


@pytest.mark.parametrize("trust", [["--allow-config-plugins"], ["--plugin", "sub/../wrong.py"]])
def test_benchmark_file_imports_what_is_trusted_or_named(
    tmp_path: Path, wrong: Path, trust: list[str]
) -> None:
    text = tiny.INLINE.replace("[bce, lsgan]", "[wrong]") + "plugins: [wrong.py]\n"
    tiny.write(tmp_path, text)
    (tmp_path / "sub").mkdir()
    for command in (["plan", "tiny.yaml", "--no-estimate"], ["datasets", "verify", "tiny.yaml"]):
        done = tiny.ganbench(*command, *trust, cwd=tmp_path)
        assert done.returncode == 0, done.stderr


def test_naming_one_plugin_of_a_file_trusts_no_other(tmp_path: Path, wrong: Path) -> None:
    text = tiny.INLINE.replace("[bce, lsgan]", "[wrong]") + "plugins: [wrong.py, bomb.py]\n"
    tiny.write(tmp_path, text)
    done = tiny.ganbench("plan", "tiny.yaml", "--plugin", "wrong.py", cwd=tmp_path)
    assert done.returncode == 2
    assert "this file asks to import code (bomb.py)" in done.stderr


def test_profile_and_override_cannot_import_code_either(tmp_path: Path) -> None:
    text = tiny.TINY + "profiles: {evil: {plugins: [bomb]}}\n"
    for how in (["--profile", "evil"], ["--set", "plugins=[bomb]"]):
        done = tiny.ganbench("plan", tiny.write(tmp_path, text), *how, cwd=tmp_path)
        assert done.returncode == 2
        assert "asks to import code (bomb)" in done.stderr


def test_plugin_that_changes_during_a_run_is_noticed(tmp_path: Path, wrong: Path) -> None:
    text = tiny.INLINE.replace("[bce, lsgan]", "[wrong]")
    done = tiny.ganbench(
        "run", tiny.write(tmp_path, text), "--plugin", "wrong.py", "--out", "run", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    (trial,) = (tmp_path / "run" / "trials").glob("wrong*")
    (trial / "result.json").unlink()
    wrong.write_text(WRONG.replace("1.0", "2.0"), "utf-8")
    resumed = tiny.ganbench("resume", "run", cwd=tmp_path)
    assert resumed.returncode == 2
    assert "loss 'wrong' was planned with wrong.py sha256:" in resumed.stderr
