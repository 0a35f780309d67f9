"""How the commands of `dev.py` end."""

import os
import signal
from collections.abc import Iterator

import pytest

from tools.comfyui.console import exit_code


@pytest.fixture(autouse=True)
def own_handler() -> Iterator[None]:
    """SIGTERM's handler as it was before the test."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def raising(error: BaseException):
    def work() -> None:
        raise error

    return work


def test_work_that_is_done_ends_with_zero():
    assert exit_code(lambda: None, (ValueError,)) == 0


def test_an_expected_error_is_a_sentence(capsys):
    assert exit_code(raising(ValueError("no room on the disk")), (ValueError,)) == 1
    assert capsys.readouterr().err == "error: no room on the disk\n"


def test_a_fault_of_the_program_keeps_its_traceback():
    with pytest.raises(KeyError):
        exit_code(raising(KeyError("x")), (ValueError,))


def test_ctrl_c_ends_with_the_shells_number():
    assert exit_code(raising(KeyboardInterrupt()), (ValueError,)) == 130


def test_sigterm_lets_the_work_clean_up():
    cleaned = []

    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            cleaned.append(True)

    with pytest.raises(SystemExit) as ended:
        exit_code(work, (ValueError,))
    assert ended.value.code == 143
    assert cleaned
