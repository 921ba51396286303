"""The checks of a plugin's contract, by theme, as plain functions over one ``Contract``.

They call the plugin's hooks as the host does, export twice, and hold the results to what
docs/api.md asks. A check returns one line that says what it found. A breach raises
``ContractError`` with what is wrong and what to change; ``NotApplicable`` says why a check has
nothing to say. ``logexport.testing.kit`` has the checks in their order.
"""
