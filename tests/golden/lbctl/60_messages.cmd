doc messages
