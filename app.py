"""The WSGI entry for a server of one's own: ``app``. ``python app.py`` serves with ours, timers included."""

from provision.factory import create_app, main

app = create_app()

if __name__ == "__main__":
    main(["serve"])
