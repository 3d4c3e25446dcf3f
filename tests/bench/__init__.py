"""How fast the door is: durable accepts with receipts beside a bare floor measured in the same run. See README.md."""
