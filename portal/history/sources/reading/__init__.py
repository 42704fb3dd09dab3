"""What readers are made of: their protocol, documents and logs, checked fields, and conversions."""
