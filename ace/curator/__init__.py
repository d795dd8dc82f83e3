"""The role that merges what was learned into the playbook, without a language model."""
