"""Singer taps as sources: a tap's messages as blocks of rows, and its states as checkpoints."""

from penstock.sources.singer.source import SingerSource as SingerSource
