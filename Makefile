# Everything a contributor types. The two commands of README.md do the same without make.

.PHONY: test torture check bench race demo golden screenshots

.venv/ready: pyproject.toml
	python3 -m venv .venv
	.venv/bin/pip install --quiet --editable '.[dev]'
	touch $@

test: .venv/ready        ## the whole suite
	.venv/bin/pytest -n auto

torture: .venv/ready     ## 10,000 kills, and the table of docs/guarantees.md
	.venv/bin/python tests/torture --kills 10000

check: .venv/ready       ## lint, types, layers, docs
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/pytest tests/docs

bench: .venv/ready       ## figures for bench/README.md
	.venv/bin/python bench/planning.py
	.venv/bin/python bench/startup.py
	.venv/bin/python bench/rendering.py
	.venv/bin/python bench/message.py
	.venv/bin/python bench/preview.py

race: .venv/ready        ## newsletter send beside smtplib, aiosmtplib, nodemailer and smtp-source; half an hour
	.venv/bin/python bench/race.py --install

demo: .venv/ready
	.venv/bin/newsletter demo

golden: .venv/ready      ## rewrite the golden messages; review the diff
	.venv/bin/pytest tests/golden --rewrite

screenshots: .venv/ready ## the pictures in docs/screenshots
	.venv/bin/python docs/screenshots/take.py
