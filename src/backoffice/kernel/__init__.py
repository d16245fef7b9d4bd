"""The words every domain shares: ids, money, dates, clocks and refusals. Pure; the standard library and numpy only."""
