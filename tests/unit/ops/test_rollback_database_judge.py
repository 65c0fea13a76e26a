"""The verdict on a cluster that a test plays: second by second, what it looks like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ops.rollback.database.judge import UNREAD_SECONDS, UNSCHEDULED_SECONDS, Judge
from ops.rollback.database.parameters import Difference
from ops.rollback.database.seen import Instance, Pooler, Seen

HEALTHY = "Cluster in healthy state"
NOTHING = Difference()


def instance(
    name: str,
    *,
    ready: bool = True,
    current: bool = True,
    primary: bool = False,
    hopeless: str = "",
    unscheduled: str = "",
    crashed: bool = False,
) -> Instance:
    return Instance(
        name=name,
        uid=f"uid of {name}",
        ready=ready,
        primary=primary,
        current=current,
        hopeless=hopeless,
        unscheduled=unscheduled,
        crashed=crashed,
    )


def cluster(*instances: Instance, phase: str = HEALTHY, asleep: bool = False) -> Seen:
    return Seen(phase=phase, wanted=2, instances=instances, asleep=asleep)


PRIMARY = instance("database-1", primary=True)
OLD_PRIMARY = instance("database-1", primary=True, current=False)
WHOLE = cluster(PRIMARY, instance("database-2"))


@dataclass
class Played:
    """A cluster and a clock."""

    look: Callable[[float], Seen]
    differences: Callable[[float, Instance], Difference] = lambda _now, _instance: NOTHING
    now: float = 0.0
    said: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)

    def judge(self, within: float = 600) -> Judge:
        def sleep(seconds: float) -> None:
            self.now += seconds

        return Judge(
            cluster="database",
            look=lambda: self.look(self.now),
            difference=lambda each, _seen: self.differences(self.now, each),
            words=lambda each: f"words of {each.name}",
            release=lambda each: self.released.append(each.name),
            say=self.said.append,
            within=within,
            clock=lambda: self.now,
            sleep=sleep,
        )


def in_turn(*looks: Seen) -> Callable[[float], Seen]:
    return lambda now: looks[min(int(now), len(looks) - 1)]


def test_a_cluster_that_is_what_is_declared_is_healthy_at_the_first_look() -> None:
    played = Played(in_turn(WHOLE))
    found = played.judge().verdict()
    assert (found.healthy, found.told) == (True, "database: 2 of 2 instances run what is declared")
    assert played.now == 0
    assert played.said == []


def test_a_pooler_that_crashes_is_not_healthy_though_all_servers_are() -> None:
    new = instance("pooler-b", ready=False, hopeless="pod pooler-b: its memory is not enough (OOMKilled), 2 restarts")
    pooler = Pooler(name="pooler", wanted=1, pods=(instance("pooler-a", current=False), new))
    found = Played(in_turn(replace(WHOLE, poolers=(pooler,)))).judge().verdict()
    assert not found.healthy
    assert found.behind
    assert found.told == "database: pod pooler-b: its memory is not enough (OOMKilled), 2 restarts"


def test_a_pooler_that_no_node_takes_is_not_healthy() -> None:
    waits = instance("pooler-a", ready=False, unscheduled="pod pooler-a: no room")
    played = Played(in_turn(replace(WHOLE, poolers=(Pooler(name="pooler", wanted=1, pods=(waits,)),))))
    assert played.judge().verdict().told == "database: pod pooler-a: no room"
    assert played.now == UNSCHEDULED_SECONDS


def test_while_a_deployment_waits_poolers_say_nothing_as_they_may_change_after_the_servers() -> None:
    new = instance("pooler-b", ready=False, hopeless="pod pooler-b: its memory is not enough (OOMKilled), 2 restarts")
    seen = replace(WHOLE, poolers=(Pooler(name="pooler", wanted=1, pods=(new,)),))
    assert Played(in_turn(seen)).judge().hopeless() == ""


def test_a_rollout_is_followed_instance_by_instance() -> None:
    rolling = cluster(OLD_PRIMARY, instance("database-2", ready=False), phase="Upgrading cluster")
    played = Played(in_turn(rolling, rolling, WHOLE))
    assert played.judge().verdict().healthy
    assert played.said == [
        "database: 0 of 2 instances as declared; database-1: still runs what was declared before; "
        "database-2: not ready; phase is 'Upgrading cluster' (0 s)"
    ], "what did not change is not said again at once"


def test_what_cannot_start_ends_it_with_the_servers_own_words() -> None:
    crashing = instance("database-2", ready=False, hopeless="pod database-2: it ends again and again", crashed=True)
    found = Played(in_turn(cluster(OLD_PRIMARY, crashing))).judge().verdict()
    assert not found.healthy
    assert found.told == "database: pod database-2: it ends again and again: words of database-2"
    assert found.behind


def test_an_image_that_is_not_there_has_no_words() -> None:
    pulls = instance("database-2", ready=False, hopeless="pod database-2: ErrImagePull")
    assert Played(in_turn(cluster(PRIMARY, pulls))).judge().verdict().told == "database: pod database-2: ErrImagePull"


def test_no_room_is_certain_after_a_while_and_not_when_the_pod_before_has_just_left() -> None:
    unscheduled = cluster(OLD_PRIMARY, instance("database-2", ready=False, unscheduled="pod database-2: no room"))
    short = Played(lambda now: unscheduled if now < UNSCHEDULED_SECONDS - 1 else WHOLE)
    assert short.judge().verdict().healthy
    long = Played(in_turn(unscheduled))
    found = long.judge().verdict()
    assert found.told == "database: pod database-2: no room"
    assert long.now == UNSCHEDULED_SECONDS


def test_what_takes_too_long_is_not_healthy_and_says_what_is_missing() -> None:
    played = Played(in_turn(cluster(PRIMARY, instance("database-2", ready=False))))
    found = played.judge(within=30).verdict()
    assert found.told == ("database: not as declared after 30 s: 1 of 2 instances as declared; database-2: not ready")
    assert not found.behind, "the primary has all that is declared: the settings start"
    assert found.seconds == 30
    assert len(played.said) == 2, "once and every fifteen seconds"


def test_a_parameter_that_waits_for_a_restart_is_waited_for() -> None:
    late = Difference(waiting=("shared_buffers",))
    played = Played(in_turn(WHOLE), lambda now, each: late if now < 5 and each.primary else NOTHING)
    assert played.judge().verdict().healthy
    assert played.said == ["database: database-1: shared_buffers wait for a restart (0 s)"]
    never = Played(in_turn(WHOLE), lambda _now, each: late if each.primary else NOTHING)
    found = never.judge(within=60).verdict()
    assert (found.healthy, found.behind) == (False, True)


def test_a_declared_value_that_never_reaches_a_server_delays_and_does_not_condemn() -> None:
    played = Played(in_turn(WHOLE), lambda _now, _each: Difference(unread=("log_statement",)))
    assert played.judge().verdict().healthy
    assert played.now == UNREAD_SECONDS


def test_a_change_that_the_operator_has_not_begun_is_not_taken_for_done() -> None:
    unread = Difference(unread=("max_connections",))
    broken = cluster(PRIMARY, instance("database-2", ready=False, hopeless="pod database-2: ErrImagePull"))
    played = Played(in_turn(WHOLE, WHOLE, broken), lambda _now, _each: unread)
    assert not played.judge().verdict().healthy


def test_a_pod_that_waits_for_what_nobody_wants_is_deleted_and_no_reason_against_what_is_declared() -> None:
    stuck = instance("database-2", ready=False, current=False, hopeless="pod database-2: ErrImagePull")
    played = Played(in_turn(cluster(PRIMARY, stuck), WHOLE))
    assert played.judge().verdict().healthy
    assert played.released == ["database-2"]
    assert "deleted pod database-2" in played.said[0]


def test_a_cluster_that_sleeps_as_declared_is_healthy() -> None:
    found = Played(in_turn(cluster(asleep=True))).judge().verdict()
    assert (found.healthy, found.told) == (True, "database: asleep, as declared")


def test_while_a_deployment_waits_a_look_says_what_is_certain_and_deletes_what_is_stuck() -> None:
    stuck = instance("database-2", ready=False, current=False, unscheduled="pod database-2: no room")
    looks: Sequence[Seen] = [
        cluster(PRIMARY, stuck),
        cluster(PRIMARY, instance("database-2", ready=False)),
        cluster(PRIMARY, instance("database-2", ready=False, hopeless="pod database-2: ErrImagePull")),
    ]
    played = Played(in_turn(*looks))
    judge = played.judge()
    found = []
    for _ in looks:
        found.append(judge.hopeless())
        played.now += 1
    assert found == ["", "", "pod database-2: ErrImagePull"]
    assert played.released == ["database-2"]
