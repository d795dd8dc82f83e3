"""What people see in a browser: a page calls the same services as the interface, and adds no rule of its own."""
