"""The spellings of conditions: YAML, JSON, short forms, flags, the schema; and the one reader of documents."""
