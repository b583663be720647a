"""Where messages go without being asked for: webhooks, files, brokers, datagrams."""
