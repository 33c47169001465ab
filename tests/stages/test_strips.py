import threading
import time

import pytest

from stages import strips
from stages.strips import limited_workers, run_strips, with_halo


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("rows, strip", [(0, 4), (1, 4), (10, 4), (12, 4), (1000, 1)])
def test_every_row_once_and_in_order(rows, strip, workers, set_workers):
    set_workers(workers)
    found = run_strips(lambda a, b: list(range(a, b)), rows, strip)
    assert [y for part in found for y in part] == list(range(rows))


def test_an_error_of_any_strip_is_raised(set_workers):
    set_workers(3)

    def work(start, stop):
        if start == 40:
            raise RuntimeError("strip 40")

    with pytest.raises(RuntimeError, match="strip 40"):
        run_strips(work, 100, 4)


def test_after_an_error_no_further_strip_is_begun(set_workers):
    set_workers(2)
    begun, first_is_over = [], threading.Event()

    def work(start, stop):
        begun.append(start)
        if start == 0:
            first_is_over.set()
            raise RuntimeError("first")
        first_is_over.wait(10)
        time.sleep(0.01)  # longer than it takes to notice

    with pytest.raises(RuntimeError, match="first"):
        run_strips(work, 400, 1)
    assert len(begun) < 10


def test_two_threads_may_run_strips_at_once(set_workers):
    set_workers(2)
    results = {}

    def one(name):
        results[name] = sum(run_strips(lambda a, b: sum(range(a, b)), 5000, 3))

    threads = [threading.Thread(target=one, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(results.values()) == {sum(range(5000))} and len(results) == 4


def test_no_worker_is_refused(set_workers):
    with pytest.raises(ValueError, match="at least 1"):
        set_workers(0)
    with pytest.raises(ValueError, match="at least 1"), limited_workers(0):
        pass


def test_the_default_is_every_available_core():
    assert strips.workers() == strips.available_cores()


def threads_of_strips(count=40):
    """Names of the threads that ran strips which wait for each other."""
    names = []

    def work(start, stop):
        names.append(threading.get_ident())
        time.sleep(0.005)

    run_strips(work, count, 1)
    return set(names)


def test_a_context_has_its_own_number_of_workers(set_workers):
    set_workers(2)
    with limited_workers(1):
        assert threads_of_strips() == {threading.get_ident()}
        with limited_workers(5):
            assert strips.workers() == 5 and 2 < len(threads_of_strips()) <= 5
        with limited_workers(None):
            assert strips.workers() == 1
    assert strips.workers() == 2 and len(threads_of_strips()) <= 2


def test_another_thread_is_not_limited(set_workers):
    set_workers(3)
    seen = []
    with limited_workers(1):
        thread = threading.Thread(target=lambda: seen.append(strips.workers()))
        thread.start()
        thread.join()
    assert seen == [3]


def test_a_larger_pool_is_made_while_another_thread_works(set_workers):
    set_workers(2)
    begun, more = threading.Event(), threading.Event()
    found = []

    def work(start, stop):
        begun.set()
        more.wait(10)
        return start

    thread = threading.Thread(target=lambda: found.extend(run_strips(work, 8, 1)))
    thread.start()
    begun.wait(10)
    with limited_workers(6):
        assert run_strips(lambda a, b: a, 50, 1) == list(range(50))
    more.set()
    thread.join()
    assert found == list(range(8))


def test_halo_is_cut_at_the_picture():
    assert with_halo(0, 8, 3, 100) == (slice(0, 11), slice(0, 8))
    assert with_halo(96, 100, 3, 100) == (slice(93, 100), slice(3, 7))


def test_strips_of_small_pictures_are_worth_a_thread():
    assert strips.rows_of_strips(128) == 1024
    assert strips.rows_of_strips(4000) == strips.STRIP_ROWS
