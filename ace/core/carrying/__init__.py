"""A playbook on its way between places: each form in a file of its own, text in and `Carried` out, or the other way."""
