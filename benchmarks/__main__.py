"""`make bench`: every figure of docs/performance.md, in one run."""

from __future__ import annotations

import os
import platform
import sys

from benchmarks import api, assess, imports, journey, measure, reader, store, translate, validate, writer


def main() -> None:
    """Run all benchmarks, the quick ones first."""
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    print(f"bare lexical reader with 40 reads                    {reader.messages_a_second():8.0f} messages/s")
    translate.main()
    print(f"assess                                               {assess.stays_a_second():8.0f} stays/s")
    validate.main()
    journey.main()
    sys.argv = sys.argv[:1]
    writer.main()
    store.main()
    measure.main()
    api.main()
    imports.main()


if __name__ == "__main__":
    main()
