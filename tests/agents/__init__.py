"""Other people's agents with a playbook: their real libraries, a scripted model over real HTTP, and what is stored."""
