"""From rows to prompts: features, plan, generated code and its execution, checks."""
