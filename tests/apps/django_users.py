"""Users as Django makes them: its own tables by `migrate`, `create_user`, groups. One argument: the folder of the database's socket.

Prints, as JSON, whom Django itself lets in with the password `correct horse`.
"""

import json
import sys

import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "doorward", "HOST": sys.argv[1]}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.contrib.auth import authenticate  # noqa: E402
from django.contrib.auth.models import Group, User  # noqa: E402
from django.core.management import call_command  # noqa: E402

call_command("migrate", verbosity=0)
if not User.objects.exists():
    ada = User.objects.create_user("ada", "ada@example.com", "correct horse", first_name="Ada", last_name="Lovelace")
    ada.groups.set([Group.objects.create(name=name) for name in ("editors", "staff")])
    User.objects.create_user("bob", password="correct horse")
    User.objects.create_user("gone", password="correct horse", is_active=False)
    User.objects.create_user("elsewhere")  # logs in by other means: the hash begins with `!`
names = [user.username for user in User.objects.order_by("id")]
print(json.dumps([name for name in names if authenticate(username=name, password="correct horse")]))
