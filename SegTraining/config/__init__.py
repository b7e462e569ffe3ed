"""Every setting, typed and validated: pydantic models of the YAML files."""
