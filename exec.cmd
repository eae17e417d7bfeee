@rem npm start begins with exec: the service takes the place of the shell, and hears the signals that npm passes on. cmd has no such command.
@%*
