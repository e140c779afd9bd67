"""Messages to people: e-mail and SMS.

Owns: messages waiting to be sent, encrypted, and what became of them.
Serves: NotificationService.
Stores: `message`; recipient and text only under core/transit/message, erased once sent.
Puts on its feed: AuditRecorded.
Follows: nothing.
"""
