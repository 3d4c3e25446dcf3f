"""What happens without anyone asking: carrying deliveries, taking in mail, watching clocks, sealing the log."""
