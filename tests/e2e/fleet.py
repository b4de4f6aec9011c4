"""Several doorwards on one store, used as if they were one."""

import itertools
import time

from sidecar import DEADLINE, Doorward, plain_session, until

# What one revokes all refuse within this, in seconds.
WITHIN = 1


class Fleet(Doorward):
    """Each call goes to the next replica, so that nothing is asked twice of one that knows it already. A fleet may be of one."""

    def __init__(self, replicas):
        self.replicas = replicas
        self.turn = itertools.cycle(replicas)
        self.session = plain_session()

    @property
    def settings(self):
        return self.replicas[0].settings

    @property
    def public(self):
        return next(self.turn).public

    @property
    def admin(self):
        return next(self.turn).admin

    def write_users(self, users):
        for replica in self.replicas:
            replica.write_users(users)

    def start(self, prefix=(), environment=None):
        for replica in self.replicas:
            replica.launch(prefix, environment)
        for replica in self.replicas:
            replica.bound()
        # Nothing of theirs is older than they are.
        until(lambda: all(replica.metric("doorward_revocation_staleness_seconds") < DEADLINE for replica in self.replicas), what="replicas that follow")
        return self

    def follows(self):
        """Each has had everything at some time since this was asked, whatever it was cut off from before."""
        began = time.monotonic()

        def has_everything(replica):
            return replica.metric("doorward_revocation_staleness_seconds") < time.monotonic() - began

        until(lambda: all(map(has_everything, self.replicas)), what="replicas that follow")

    def stop(self):
        for replica in self.replicas:
            replica.stop()

    def kill(self):
        for replica in self.replicas:
            replica.kill()

    def samples(self):
        return [sample for replica in self.replicas for sample in replica.samples()]

    def records(self, **members):
        return [record for replica in self.replicas for record in replica.records(**members)]

    def reasons(self, token, path="/users/me"):
        """What each replica answers: why it refuses, or the status."""
        answers = [replica.call(path, token) for replica in self.replicas]
        return [answer.json()["reason"] if answer.status_code in (401, 503) else answer.status_code for answer in answers]

    def refuses(self, shop, *tokens, path="/users/me"):
        """Every replica does, as revoked, within a second, and then none lets anything through to the application."""
        expected = ["revoked"] * len(self.replicas)
        # One that writes and reads alone has nothing to wait for.
        end = time.monotonic() + (WITHIN if len(expected) > 1 else 0)
        for token in tokens:
            while (reasons := self.reasons(token, path)) != expected:
                assert time.monotonic() < end, f"not refused by all within {WITHIN} s: {reasons}"
        shop.forget()
        for token in tokens:
            assert self.reasons(token, path) == expected
        assert shop.seen() == []
        return True

    def takes(self, *tokens, path="/users/me"):
        """Every replica lets these through."""
        for token in tokens:
            assert self.reasons(token, path) == [200] * len(self.replicas)
        return True
