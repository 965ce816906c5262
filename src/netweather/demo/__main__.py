"""`python -m netweather.demo`: the same as `netweather demo`."""

import sys

from netweather.demo import main

sys.exit(main())
