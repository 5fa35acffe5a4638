/**
 * THE command table: every command with its arguments, options, settings and examples. The parser,
 * the help pages and the completions are made from it. To add a command, write
 * `commands/<verb>.ts` and a row here.
 */
import { SETTING_NAMES, type SettingName } from "../config/settings.ts";
import { LIMITS } from "../job/job.ts";
import { CATCH_UP, OVERLAP, SCHEDULE_LIMITS } from "../job/schedule.ts";
import { SCOPES } from "../job/scope.ts";
import { FINISHED_STATES, STATES } from "../job/state.ts";
import { DELIVERY_STATES } from "../store/deliveries.ts";
import type { ArgumentSpec, CommandSpec, OptionSpec } from "./command.ts";
import { CWD_OPTION, JOB_OPTIONS, RELATION_OPTIONS } from "./job_options.ts";

/** Settings of every command that opens the store. */
const STORE = ["db", "sqlite-driver"] as const satisfies SettingName[];
/** Settings of commands that add jobs. */
const ADDING = [
  ...STORE,
  "synchronous",
  "max-retries",
  "max-queue-depth",
  "job-timeout",
  "extra-kinds",
] as const satisfies SettingName[];
/** Settings that only the API needs. */
const API: readonly SettingName[] = [
  "host",
  "port",
  "token-file",
  "require-token",
  "insecure",
  "allowed-hosts",
  "cors-origins",
  "upload-limit",
  "rate-limit",
  "max-connections",
  "allow-commands",
];
const WORKING = SETTING_NAMES.filter((name) => !API.includes(name));

const WEBHOOK: ArgumentSpec = { name: "id", doc: "The webhook's id, as webhook list shows it." };
const ID: ArgumentSpec = { name: "id", doc: "The job's id." };
const IDS: ArgumentSpec = { name: "id", doc: "The jobs' ids.", isMany: true };
const SCHEDULE: ArgumentSpec = { name: "name", doc: "The schedule's name." };
const KEY: ArgumentSpec = { name: "key", doc: "A setting's name.", choices: SETTING_NAMES };
const QUEUE_NAME: ArgumentSpec = { name: "name", doc: "The queue's name." };

const QUIET: OptionSpec = { flags: "-q, --quiet", doc: "Print the id alone." };
const LIMIT: OptionSpec = {
  flags: "--limit <n>",
  doc: `At most so many jobs. Default: ${LIMITS.listPageDefault}.`,
};
const QUEUE: OptionSpec = { flags: "--queue <name>", doc: "Only jobs of this queue." };
const KIND: OptionSpec = { flags: "--kind <name>", doc: "Only jobs of this kind." };
const COUNT: OptionSpec = { flags: "--count <n>", doc: "Worker threads; the same as --workers." };
const DETACH: OptionSpec = {
  flags: "--detach",
  doc: "Run in the background; returns once the workers are up.",
};

export const COMMANDS: readonly CommandSpec[] = [
  {
    path: ["serve"],
    summary: "Run the API, workers, supervisor and reaper in one process",
    description:
      "Runs until Ctrl-C or SIGTERM, which lets running jobs finish first. A second one " +
      "stops at once.",
    settings: SETTING_NAMES,
    examples: [
      ["serve", "listen on http://127.0.0.1:8000"],
      ["serve --port 9000 --workers 4 --db /var/lib/queue.db", "somewhere else"],
      ["serve --host 0.0.0.0 --token-file ./token", "for other machines, with a token"],
      ["serve --workers 0", "the API alone; run workers elsewhere"],
      ["serve --handlers ./handlers.ts", "the functions that a module exports run kinds of jobs"],
    ],
    load: () => import("./commands/serve.ts"),
  },
  {
    path: ["initdb"],
    summary: "Create the database",
    description: "Every command does so when there is none; running it again is harmless.",
    settings: [...STORE, "synchronous"],
    examples: [["initdb", "./queue.db"], ["initdb --db /var/lib/queue.db", "somewhere else"]],
    load: () => import("./commands/initdb.ts"),
  },
  {
    path: ["add"],
    summary: "Enqueue a command, or a job of another kind",
    description:
      "One argument is run by the shell (sh -c). After -- the words are a program and its " +
      "arguments, run without a shell. With --kind there is no command.",
    arguments: [{ name: "command", doc: "What to run.", isOptional: true, isMany: true }],
    options: [
      { flags: "--input <file>", doc: "A file for the job, a copy of which is kept; -: stdin." },
      { flags: "--kind <name>", doc: "The job's kind, for other jobs than commands." },
      { flags: "--payload <json>", doc: "Its payload, as JSON." },
      { flags: "--run-at <time>", doc: "Not before this time, as 2030-12-01T10:00:00Z." },
      { flags: "--delay <duration>", doc: "Not before this has passed: 30s, 10m, 1h." },
      { flags: "--id <id>", doc: "The job's id; by default a new one is made." },
      ...JOB_OPTIONS,
      ...RELATION_OPTIONS,
      CWD_OPTION,
      QUIET,
    ],
    settings: ADDING,
    examples: [
      ['add "sleep 2 && echo done"', "run by the shell"],
      ["add -- convert 'my picture.png' out.webp", "a program, without a shell"],
      ['add "./backup.sh" --max-retries 5 --timeout 10m', "with limits"],
      ['add "./report.sh" --run-at 2030-12-01T08:00:00Z --priority 10', "later, before others"],
      ['add "make deploy" --after "$build" --after "$tests"', "once both have succeeded"],
      ['add "./sync.sh" --unique-key sync', "unless one waits or runs already"],
      ['add "./fetch.sh" --backoff 1s,10s,1m --jitter 0.2 --retry-on 75', "retried differently"],
      ['id=$(queuectl add --quiet "make") && queuectl wait "$id"', "wait for its end"],
      ["add 'sort \"$QUEUECTL_INPUT\"' --input names.txt", "with a file"],
      ["add --kind count --input book.txt", "another kind"],
    ],
    usageHint: 'write: queuectl add "COMMAND", or without a shell: queuectl add -- PROGRAM ARG...',
    load: () => import("./commands/add.ts"),
  },
  {
    path: ["enqueue"],
    summary: "Enqueue jobs from JSON",
    description: "JSON is one object, or an array of them. With - jobs are read from stdin, one " +
      "object a line (NDJSON), or as one such JSON. All of them are stored, or none.",
    arguments: [{ name: "json", doc: "The job; -: read from stdin." }],
    options: [{ ...QUIET, doc: "Print the ids alone." }],
    settings: ADDING,
    examples: [
      [`enqueue '{"id":"job1","command":"echo hi"}'`, "a command with an id"],
      [`enqueue '{"kind":"count","payload":"Hello"}'`, "another kind"],
      ["enqueue - < jobs.ndjson", "many, in one transaction"],
    ],
    load: () => import("./commands/enqueue.ts"),
  },
  {
    path: ["list"],
    summary: "Show jobs in a table, pending ones unless asked otherwise",
    options: [
      {
        flags: "--state <state>",
        doc: `One of ${STATES.join(", ")}, or all; several with commas.`,
        choices: [...STATES, "all"],
      },
      { flags: "--dlq", doc: "The dead-letter queue; the same as --state dead." },
      QUEUE,
      KIND,
      {
        flags: "--search <terms>",
        doc: "Jobs in which this stands, in any state unless asked otherwise.",
      },
      LIMIT,
    ],
    settings: STORE,
    examples: [
      ["list", "what waits for a worker"],
      [`list --search 'state:dead error:timeout payload.user:7'`, "what it says, and why it died"],
      ["list --state all --limit 10", "the newest jobs"],
      ["list --state failed,dead --queue mail", "what went wrong in a queue"],
      ["list --state all --json | jq -r '.[].id'", "for scripts"],
    ],
    load: () => import("./commands/list.ts"),
  },
  {
    path: ["show"],
    summary: "Show everything about a job, its attempts and output",
    arguments: [ID],
    settings: STORE,
    examples: [["show job1", "for people"], ["show job1 --json", "for scripts"]],
    load: () => import("./commands/show.ts"),
  },
  {
    path: ["logs"],
    summary: "Print a job's output as it is",
    description: "What the job wrote to stdout comes on stdout, what it wrote to stderr on stderr.",
    arguments: [ID],
    options: [
      {
        flags: "-f, --follow",
        doc: "Keep printing, over all attempts, until the job is finished.",
      },
      {
        flags: "--stream <name>",
        doc: "Only stdout or stderr.",
        choices: ["stdout", "stderr"],
      },
      { flags: "--attempt <n>", doc: "Of this attempt; by default the last one." },
    ],
    settings: STORE,
    examples: [
      ["logs job1", "of the last attempt"],
      ["logs -f job1", "while it runs"],
      ["logs job1 --attempt 1 --stream stderr", "what the first attempt complained of"],
    ],
    load: () => import("./commands/logs.ts"),
  },
  {
    path: ["artifact", "list"],
    summary: "Show the files that a job has left",
    description: "A command leaves files in the directory that QUEUECTL_OUTPUT_DIR names.",
    arguments: [ID],
    settings: STORE,
    examples: [["artifact list job1", "of its last attempt"]],
    load: () => import("./commands/artifact.ts"),
  },
  {
    path: ["artifact", "get"],
    summary: "Fetch a file that a job has left",
    arguments: [ID, { name: "name", doc: "The file's name, as artifact list shows it." }],
    options: [
      { flags: "-o, --output <file>", doc: "Where to save it; by default it is printed." },
    ],
    settings: STORE,
    examples: [
      ["artifact get job1 report.pdf -o report.pdf", "as a file"],
      ["artifact get job1 rows.csv | head", "on stdout"],
    ],
    load: () => import("./commands/artifact.ts"),
  },
  {
    path: ["wait"],
    summary: "Wait until jobs are finished; exit by their outcome",
    description:
      "Exits 0 when all are completed, 1 when one is dead or cancelled, 3 at once when there is " +
      "no such job, 4 when the time is over.",
    arguments: [IDS],
    options: [{ flags: "--timeout <duration>", doc: "Wait no longer than this." }],
    settings: STORE,
    examples: [
      ["wait job1 job2", "both"],
      ["wait job1 --timeout 10m || echo failed", "not for ever"],
    ],
    load: () => import("./commands/wait.ts"),
  },
  {
    path: ["status"],
    summary: "Show counts by state and queue, workers, and the oldest ready job",
    description:
      "With --watch it stays and shows what changes: in place on a terminal, elsewhere " +
      "as text again and again, or with --json as a document a line. Ctrl-C ends it.",
    options: [{ flags: "-w, --watch", doc: "Keep showing it, as it changes." }],
    settings: STORE,
    examples: [
      ["status", "for people"],
      ["status --watch", "as it changes"],
      ["status --json", "for scripts"],
      ["status --watch --json", "one document a line, with every change"],
    ],
    load: () => import("./commands/status.ts"),
  },
  {
    path: ["top"],
    summary: "Watch jobs, queues and workers on a full screen, with keys",
    description:
      "Keys: arrows or j and k select, Enter opens a job with its output, c cancels it, r requeues " +
      "it, / searches, Tab goes to queues, workers and the DLQ, ? explains, q quits.",
    settings: STORE,
    examples: [["top", "on a terminal"], ["top --db /var/lib/queue.db", "of this database"]],
    load: () => import("./commands/top.ts"),
  },
  {
    path: ["worker"],
    summary: "Run workers without the API",
    description:
      "Runs until Ctrl-C or SIGTERM, which lets running jobs finish first. A second one " +
      "stops at once.",
    options: [COUNT],
    settings: WORKING,
    examples: [
      ["worker", "as many as the machine has cores"],
      ["worker -n 4 --backoff-base 1.5", "four, which retry sooner"],
      ['worker --handler "resize=python3 resize.py"', "a program that runs jobs of a kind"],
      ["worker start --count 2 --detach", "in the background"],
    ],
    load: () => import("./commands/worker.ts"),
  },
  {
    path: ["worker", "start"],
    summary: "Start workers, in the foreground or detached",
    options: [COUNT, DETACH],
    settings: WORKING,
    examples: [
      ["worker start --count 4", "in the foreground"],
      ["worker start --count 4 --detach --log-file ./worker.log", "in the background"],
    ],
    load: () => import("./commands/worker.ts"),
  },
  {
    path: ["worker", "list"],
    summary: "Show the live workers of this database",
    settings: [...STORE, "lease", "heartbeat"],
    examples: [["worker list", "those of serve included"]],
    load: () => import("./commands/worker_list.ts"),
  },
  {
    path: ["worker", "stop"],
    summary: "Stop the worker processes of this database on this machine",
    description: "They finish their running jobs first. Workers inside serve stay.",
    options: [{
      flags: "--timeout <duration>",
      doc: "Wait no longer than this; by default 10s more than their shutdown-timeout.",
    }],
    settings: [...STORE, "shutdown-timeout"],
    examples: [["worker stop", "and wait until they are gone"]],
    load: () => import("./commands/worker_stop.ts"),
  },
  {
    path: ["cancel"],
    summary: "Cancel jobs; running ones are stopped",
    arguments: [IDS],
    settings: STORE,
    examples: [["cancel job1", "one"], ["cancel job1 job2", "several"]],
    load: () => import("./commands/cancel.ts"),
  },
  {
    path: ["requeue"],
    summary: "Give dead or cancelled jobs a fresh set of attempts",
    arguments: [IDS],
    settings: STORE,
    examples: [["requeue job1", "run it again"]],
    load: () => import("./commands/requeue.ts"),
  },
  {
    path: ["dlq", "list"],
    summary: "Show the dead jobs",
    options: [QUEUE, KIND, LIMIT],
    settings: STORE,
    examples: [["dlq list", "with their last error"]],
    load: () => import("./commands/dlq_list.ts"),
  },
  {
    path: ["dlq", "retry"],
    summary: "Give dead jobs a fresh set of attempts",
    arguments: [{ ...IDS, isOptional: true }],
    options: [{ flags: "--all", doc: "Every dead job." }],
    settings: STORE,
    examples: [["dlq retry job1 job2", "these"], ["dlq retry --all", "all of them"]],
    load: () => import("./commands/dlq_retry.ts"),
  },
  {
    path: ["dlq", "purge"],
    summary: "Delete the dead jobs",
    description: "Asks first on a terminal; elsewhere it does not wait for an answer.",
    options: [{ flags: "-y, --yes", doc: "Do not ask." }],
    settings: STORE,
    examples: [["dlq purge", "ask, then delete"], ["dlq purge --yes", "delete"]],
    load: () => import("./commands/dlq_purge.ts"),
  },
  {
    path: ["prune"],
    summary: "Delete finished jobs that are old enough, with all that is known of them",
    description:
      "Running services do this by themselves, by the settings below. --older-than and --state take " +
      "the place of the settings; dead jobs go by --older-than only if --state names them. Jobs " +
      "that others wait for, or whose outcome is not delivered yet, stay. Afterwards the database " +
      "file is made smaller.",
    options: [
      { flags: "--dry-run", doc: "Only say how many would go." },
      { flags: "--older-than <duration>", doc: "Those that ended so long ago, as 7d." },
      {
        flags: "--state <state>",
        doc: `Only ${FINISHED_STATES.join(", ")}; several with commas, or all.`,
        choices: [...FINISHED_STATES, "all"],
      },
    ],
    settings: [...STORE, "keep-completed", "keep-cancelled", "keep-dead", "keep-jobs"],
    examples: [
      ["prune --dry-run", "what the settings would let go of now"],
      ["prune --older-than 1d", "completed and cancelled jobs of yesterday and before"],
      ["prune --older-than 30d --state dead", "dead ones, too"],
    ],
    load: () => import("./commands/prune.ts"),
  },
  {
    path: ["migrate"],
    summary: "Move a whole queue to another database, from a file to a server or back",
    description:
      "Everything goes along: jobs of all states with their ids, tokens, attempts and output, files, " +
      "schedules, limits, settings, access tokens, the audit log. Stop serve and workers first; it " +
      "refuses to start while one runs. Nobody can use either database meanwhile. Afterwards both are " +
      "read and compared; only then can the new one be used, and the old one not any more.\n\n" +
      "When it is interrupted, the same command goes on where it was.",
    options: [
      { flags: "--from <database>", doc: "Where the queue is: sqlite:PATH or postgres://…" },
      { flags: "--to <database>", doc: "Where it goes: a new file, or an empty schema." },
      { flags: "--keep-source", doc: "Leave the old one usable, to try the new one." },
      { flags: "--undo <database>", doc: "Use a database again that was moved away from." },
    ],
    settings: ["sqlite-driver"],
    examples: [
      ["migrate --from sqlite:queue.db --to postgres://app@db.example/queue", "to a server"],
      ["migrate --from postgres://app@db.example/queue --to sqlite:queue.db", "and back"],
      ["migrate --undo sqlite:queue.db", "the server is gone; go on with the file as it was"],
    ],
    load: () => import("./commands/migrate.ts"),
  },
  {
    path: ["config", "list"],
    summary: "Show every setting: its value, where that comes from, its default",
    settings: STORE,
    examples: [["config list", "flag, environment, config or default"]],
    load: () => import("./commands/config.ts"),
  },
  {
    path: ["config", "get"],
    summary: "Print the value of a setting that counts here",
    arguments: [KEY],
    settings: STORE,
    examples: [["config get max-retries", "the value alone"]],
    load: () => import("./commands/config.ts"),
  },
  {
    path: ["config", "set"],
    summary: "Store a setting in the database",
    description:
      "It counts for every process that opens this database from then on, unless a flag " +
      "or the environment says otherwise.",
    arguments: [KEY, { name: "value", doc: "Its value.", mayBeginWithDash: true }],
    settings: STORE,
    examples: [["config set max-retries 5", "for jobs added from now on"]],
    load: () => import("./commands/config.ts"),
  },
  {
    path: ["config", "unset"],
    summary: "Remove a stored setting",
    arguments: [KEY],
    settings: STORE,
    examples: [["config unset max-retries", "back to the default"]],
    load: () => import("./commands/config.ts"),
  },
  {
    path: ["schedule", "add"],
    summary: "Add a job again and again, by cron or by interval",
    description:
      "One argument after the name is run by the shell (sh -c); words after -- are a program and " +
      "its arguments, run without a shell; --kind and --payload, or --job, name any other job. A " +
      "running serve or worker makes the jobs.\n\n" +
      "Cron: minute hour day month weekday, or six fields with seconds first, or a word such as " +
      "@daily. Where clocks are set, a schedule that names every hour goes by elapsed time; any " +
      "other runs once for each time it names, in the hour that is left out at its end.",
    arguments: [
      SCHEDULE,
      { name: "command", doc: "What to run.", isOptional: true, isMany: true },
    ],
    options: [
      { flags: "--cron <expression>", doc: "When, as '30 2 * * MON-FRI'." },
      { flags: "--every <duration>", doc: "Or how often, as 10m, counted from now." },
      { flags: "--tz <zone>", doc: "The time zone of --cron, as Europe/Berlin. Default: UTC." },
      {
        flags: "--catch-up <policy>",
        doc: "Times that passed while nothing ran: once (one job for all of them, the default), " +
          `skip, or all (one each, at most ${SCHEDULE_LIMITS.caughtUp}).`,
        choices: CATCH_UP,
      },
      {
        flags: "--overlap <policy>",
        doc: "While its last job is not finished: allow (the default), or skip.",
        choices: OVERLAP,
      },
      { flags: "--kind <name>", doc: "The job's kind, for other jobs than commands." },
      { flags: "--payload <json>", doc: "Its payload, as JSON." },
      { flags: "--job <json>", doc: "Or the whole job, as enqueue takes it." },
      ...JOB_OPTIONS,
      CWD_OPTION,
      { flags: "--replace", doc: "Take the place of a schedule with this name." },
      { ...QUIET, doc: "Print the name alone." },
    ],
    settings: ADDING,
    examples: [
      ["schedule add backup --cron '30 2 * * *' --tz Europe/Berlin './backup.sh'", "every night"],
      [
        "schedule add poll --every 10m --overlap skip -- curl -fsS https://example.com",
        "a program",
      ],
      [
        `schedule add hello --cron @daily --kind count --payload '"Hello"'`,
        "a job of another kind",
      ],
      ["schedule add backup --cron @weekly --replace './backup.sh'", "another time"],
    ],
    usageHint: "write: queuectl schedule add NAME --cron '30 2 * * *' \"COMMAND\", or without a " +
      "shell: ... -- PROGRAM ARG...",
    load: () => import("./commands/schedule.ts"),
  },
  {
    path: ["schedule", "list"],
    summary: "Show the schedules, and when each runs next",
    settings: STORE,
    examples: [["schedule list", "by name"]],
    load: () => import("./commands/schedule.ts"),
  },
  {
    path: ["schedule", "show"],
    summary: "Show everything about a schedule, and when it runs next",
    arguments: [SCHEDULE],
    options: [{
      flags: "--next <n>",
      doc: `So many of its next runs. Default: ${SCHEDULE_LIMITS.shownDefault}.`,
    }],
    settings: STORE,
    examples: [["schedule show backup --next 10", "with its next ten runs"]],
    load: () => import("./commands/schedule.ts"),
  },
  {
    path: ["schedule", "pause"],
    summary: "Make no jobs until the schedule is resumed",
    arguments: [SCHEDULE],
    settings: STORE,
    examples: [["schedule pause backup", "what it has made goes on"]],
    load: () => import("./commands/schedule.ts"),
  },
  {
    path: ["schedule", "resume"],
    summary: "Let a paused schedule go on with its next time from now",
    arguments: [SCHEDULE],
    settings: STORE,
    examples: [["schedule resume backup", "nothing is made up for"]],
    load: () => import("./commands/schedule.ts"),
  },
  {
    path: ["schedule", "run"],
    summary: "Add a schedule's job now, besides its times",
    arguments: [SCHEDULE],
    options: [QUIET],
    settings: [...STORE, "max-queue-depth"],
    examples: [['queuectl wait "$(queuectl schedule run backup --quiet)"', "and wait for it"]],
    load: () => import("./commands/schedule.ts"),
  },
  {
    path: ["schedule", "remove"],
    summary: "Forget a schedule; the jobs it has made stay",
    arguments: [SCHEDULE],
    settings: STORE,
    examples: [["schedule remove backup", "for good"]],
    load: () => import("./commands/schedule.ts"),
  },
  {
    path: ["queue", "list"],
    summary: "Show the queues: what waits, what runs, limits",
    settings: STORE,
    examples: [
      ["queue list", "for people"],
      ["queue list --json | jq -r '.[] | select(.paused) | .queue'", "for scripts"],
    ],
    load: () => import("./commands/queue.ts"),
  },
  {
    path: ["queue", "show"],
    summary: "Show one queue with its limits and counts",
    arguments: [QUEUE_NAME],
    settings: STORE,
    examples: [["queue show mail", "for people"], ["queue show mail --json", "for scripts"]],
    load: () => import("./commands/queue.ts"),
  },
  {
    path: ["queue", "pause"],
    summary: "Stop starting jobs of queues; what runs goes on",
    description: "Counts for every process on this database, until resume.",
    arguments: [{ ...QUEUE_NAME, isMany: true }],
    settings: STORE,
    examples: [["queue pause mail", "one"], ["queue pause mail reports", "several"]],
    load: () => import("./commands/queue.ts"),
  },
  {
    path: ["queue", "resume"],
    summary: "Start jobs of paused queues again",
    arguments: [{ ...QUEUE_NAME, isMany: true }],
    settings: STORE,
    examples: [["queue resume mail", "one"]],
    load: () => import("./commands/queue.ts"),
  },
  {
    path: ["queue", "set"],
    summary: "Limit how many jobs of a queue run, over all processes",
    description:
      "What is not named stays as it is; none takes a limit away. A queue without jobs " +
      "can be limited too.",
    arguments: [QUEUE_NAME],
    options: [
      { flags: "--max-running <n>", doc: "At most so many of its jobs at once, or none." },
      {
        flags: "--rate <n/period>",
        doc: "At most so many starts in any such time: 10/1m, 5/1s; or none.",
      },
      {
        flags: "--key-max-running <n>",
        doc: "At most so many jobs of one --key at once, or none.",
      },
    ],
    settings: STORE,
    examples: [
      ["queue set mail --rate 10/1m", "ten in a minute"],
      ["queue set imports --max-running 2 --key-max-running 1", "one for each key, two in all"],
      ["queue set mail --rate none", "without a rate again"],
    ],
    load: () => import("./commands/queue.ts"),
  },
  {
    path: ["webhook", "list"],
    summary: "Show the outcomes that are posted to a job's callback_url, newest first",
    options: [
      {
        flags: "--state <state>",
        doc: `Only those that are ${DELIVERY_STATES.join(", ")}.`,
        choices: DELIVERY_STATES,
      },
      { flags: "--job <id>", doc: "Only those of this job." },
      {
        flags: "--limit <n>",
        doc: `At most so many webhooks. Default: ${LIMITS.listPageDefault}.`,
      },
    ],
    settings: STORE,
    examples: [
      ["webhook list", "the newest"],
      ["webhook list --state failed", "what nobody took"],
    ],
    load: () => import("./commands/webhook.ts"),
  },
  {
    path: ["webhook", "show"],
    summary: "Show a webhook with what is sent",
    arguments: [WEBHOOK],
    settings: STORE,
    examples: [["webhook show msg_01a2064d19e072a68602a463509e30d6", "with its last error"]],
    load: () => import("./commands/webhook.ts"),
  },
  {
    path: ["webhook", "replay"],
    summary: "Send webhooks again, with a fresh set of attempts",
    description: "Under the same webhook-id, so that receivers can tell a repetition. A running " +
      "serve or worker sends them.",
    arguments: [{ ...WEBHOOK, isMany: true }],
    settings: STORE,
    examples: [
      ["webhook replay msg_01a2064d19e072a68602a463509e30d6", "this one"],
      [
        "webhook list --state failed --json | jq -r '.[].id' | xargs queuectl webhook replay",
        "all that failed",
      ],
    ],
    load: () => import("./commands/webhook.ts"),
  },
  {
    path: ["webhook", "secret"],
    summary: "Print the secret that signs webhooks",
    description: "It is made when there is none, and kept in the database, unless " +
      "webhook-secret-file names one. Receivers check signatures with it.",
    options: [{
      flags: "--rotate",
      doc: "Make a new one; for 24 hours the old one signs too.",
    }],
    settings: [...STORE, "webhook-secret-file"],
    examples: [
      ["webhook secret", "for the receiver"],
      ["webhook secret --rotate", "when it may have leaked"],
    ],
    load: () => import("./commands/webhook.ts"),
  },
  {
    path: ["token", "create"],
    summary: "Make a token for the API, and print its secret once",
    description: "The secret is not kept, only its hash: who loses it makes another. Scopes: " +
      `${SCOPES.join(", ")}.`,
    options: [
      { flags: "--name <name>", doc: "Whose it is; the audit log tells it." },
      {
        flags: "--scopes <words>",
        doc: "What it may do, separated by commas. Default: read,submit.",
      },
      { flags: "--expires <duration>", doc: "Until when it counts, as 30d. Default: for ever." },
      { ...QUIET, doc: "Print the secret alone." },
    ],
    settings: STORE,
    examples: [
      ["token create --name ci --scopes read,submit --expires 30d", "to add jobs and see results"],
      ["token create --name ops --scopes admin --quiet > ./token", "for --token-file of submit"],
    ],
    load: () => import("./commands/token.ts"),
  },
  {
    path: ["token", "list"],
    summary: "Show the tokens, without their secrets",
    settings: STORE,
    examples: [["token list", "who may do what, and when they did last"]],
    load: () => import("./commands/token.ts"),
  },
  {
    path: ["token", "revoke"],
    summary: "Make a token worthless, within a second",
    arguments: [{ name: "id", doc: "The token's id, as token list shows it." }],
    settings: STORE,
    examples: [["token revoke 5b1f0c6a9d2e", "this one"]],
    load: () => import("./commands/token.ts"),
  },
  {
    path: ["audit"],
    summary: "Show who changed what: jobs, settings, tokens",
    options: [{
      flags: "--limit <n>",
      doc: `At most so many entries. Default: ${LIMITS.listPageDefault}.`,
    }],
    settings: STORE,
    examples: [
      ["audit", "the newest"],
      ["audit --limit 1000 --json | jq -r '.[] | select(.by == \"ci\") | .target'", "for scripts"],
    ],
    load: () => import("./commands/audit.ts"),
  },
  {
    path: ["submit"],
    summary: "Upload files to a running API and wait for the results",
    description: "Each file becomes a job that counts its characters. Exits 1 when one of them " +
      "failed.",
    options: [
      { flags: "--api <url>", doc: "Where the API is. Default: http://127.0.0.1:8000." },
      { flags: "--file <path>", doc: "What to upload; may be given several times.", isMany: true },
      { flags: "--count <n>", doc: "Upload each file so many times. Default: 1." },
      { flags: "--log <path>", doc: "Append every event to this file, as JSON lines." },
      { flags: "--timeout <duration>", doc: "Wait no longer than this." },
    ],
    settings: ["token-file"],
    examples: [
      ["submit --api http://127.0.0.1:8000 --file book.txt", "one file"],
      ["submit --file book.txt --count 1000 --log events.jsonl", "a load test"],
    ],
    load: () => import("./commands/submit.ts"),
  },
  {
    path: ["healthcheck"],
    summary: "Ask a running service on this machine whether it is alive",
    description: "For containers and supervisors: exits 0 when it answers, else 1. Opens no " +
      "database.",
    settings: ["host", "port"],
    examples: [["healthcheck --port 9000", "the service on port 9000"]],
    load: () => import("./commands/healthcheck.ts"),
  },
  {
    path: ["version"],
    summary: "Print the version",
    settings: [],
    examples: [["version", "of this program"], ["version --json", "and what it is made of"]],
    load: () => import("./commands/version.ts"),
  },
  {
    path: ["completions"],
    summary: "Print a script that completes command lines",
    arguments: [{
      name: "shell",
      doc: "bash, zsh or fish.",
      choices: ["bash", "zsh", "fish"],
    }],
    settings: [],
    examples: [
      ['eval "$(queuectl completions bash)"', "in ~/.bashrc"],
      ["completions zsh > ~/.zfunc/_queuectl", "for zsh, in a directory of $fpath"],
      ["completions fish > ~/.config/fish/completions/queuectl.fish", "for fish"],
    ],
    load: () => import("./commands/completions.ts"),
  },
];

/** Words that only group commands: `dlq`, `config`. */
export const GROUPS: Readonly<Record<string, string>> = {
  artifact: "Show and fetch the files that jobs have left",
  dlq: "List, retry or delete dead jobs",
  config: "Show and change the settings stored in the database",
  schedule: "Add jobs again and again, by cron or by interval",
  queue: "Show, pause and limit queues",
  webhook: "Show the outcomes that are posted, send them again, print their secret",
  token: "Make, list or revoke tokens for the API",
};
