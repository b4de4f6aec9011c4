"""What takes more than requests one after the other. Each gets the server under test and the attempt, and gives what must arrive."""

import signal


def reload(target, changes):
    """A new configuration, said by SIGHUP; what came of it is in the log."""
    from .doors import merge

    process, started = target.process, len(target.log.lines)
    process.write(merge(process.settings, changes))
    process.signal(signal.SIGHUP)
    target.log.wait_for(lambda line: '"audit":"reloaded"' in line, started)
