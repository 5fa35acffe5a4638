/**
 * What is said when there is no way to a PostgreSQL server, or no queue in it: one line that names what
 * is wrong, and never the password.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parseTarget } from "../../src/store/postgres/target.ts";
import { eventually } from "../helpers/eventually.ts";
import { newJob, T0 } from "../helpers/jobs.ts";
import {
  execute,
  openPostgresStore,
  type PostgresServer,
  startPostgres,
} from "../helpers/postgres.ts";
import { Sandbox } from "../helpers/program.ts";
import {
  CLIENT_CERTIFICATE,
  CLIENT_KEY,
  EXPIRED_CERTIFICATE,
  EXPIRED_KEY,
  OTHER_AUTHORITY,
  TEST_AUTHORITY,
  TEST_CERTIFICATE,
  TEST_KEY,
} from "../helpers/tls.ts";

/** Part of every password here. */
const SECRET = "geheim";

/** What is said instead of letting us in. */
async function refusalOf(db: string): Promise<string> {
  try {
    await (await openPostgresStore(db))[Symbol.asyncDispose]();
  } catch (error) {
    const { code, message, stack, cause } = error as Error & { code?: unknown };
    assert.equal(code, "store-unavailable", `${db}: ${stack}`);
    assert.match(message, /^(cannot use )?the database postgres(ql)?:\/\/[^\n]*$/);
    assert.doesNotMatch(`${message} ${stack} ${cause}`, new RegExp(SECRET));
    return message;
  }
  throw new Error(`${db}: it was let in`);
}

Deno.test("everything that is wrong in a URL is named, and no value of it is quoted", async () => {
  for (
    const [url, ...expected] of [
      [
        `postgres://app:${SECRET}/queue`,
        /postgres:\/\/….*the port of host app is no number from 1/,
      ],
      [
        `postgres://app:${SECRET}@db:99999/queue`,
        /the port of host db is no number from 1 to 65535/,
      ],
      [`postgres://app:${SECRET}?x@db/queue`, /in a password, write # as %23, \? as %3F/],
      [`postgres://app:${SECRET}#x@db/queue`, /in a password, write # as %23/],
      [`postgres://app:${SECRET}%zz@db/queue`, /the password: a % that is no %XX/],
      [`postgres://app:${SECRET}@a,,b/queue`, /host 2 of the list is empty/],
      [`postgres://app@/queue?host=a,b&port=1,2,3&password=${SECRET}`, /2 hosts and 3 ports/],
      [
        `postgres://app:${SECRET}@db/queue?sslmod=require&connect_timeout=x&foo=${SECRET}`,
        /unknown parameters sslmod, foo; there are host, port, dbname/,
        /connect_timeout: expected seconds, from 1 to 600/,
      ],
      [
        `postgres://app:${SECRET}@db/queue?sslmode=${SECRET}`,
        /sslmode: expected one of disable, allow, prefer, require, verify-ca, verify-full/,
      ],
      [`postgres://app:${SECRET}@db/q?target_session_attrs=standby`, /every process writes/],
      [
        `postgres://app:${SECRET}@db/q?channel_binding=require`,
        /channel_binding: expected disable/,
      ],
      [`postgres://app:${SECRET}@db/q?sslmode=verify-ca`, /verify-ca .*expected sslrootcert/],
      [`postgres://app@db/q?sslrootcert=system&sslmode=require`, /expected sslmode=verify-full/],
      [`postgres://app@db/q?sslnegotiation=direct`, /expected sslmode=require or stricter/],
      [
        `postgres://app@db/q?sslmode=verify-full&sslrootcert=/nowhere/${SECRET.slice(0, 3)}.crt`,
        /sslrootcert \/nowhere\/geh.crt cannot be read: there is no such file/,
      ],
    ] as const
  ) {
    const message = await refusalOf(url);
    for (const part of expected) assert.match(message, part, url);
  }
});

Deno.test("what the URL does not say, the environment does, as for psql", () => {
  const env = {
    PGHOST: "db1,/sockets",
    PGPORT: "5433",
    PGDATABASE: "queue",
    PGUSER: "app",
    PGPASSWORD: SECRET,
    PGSSLMODE: "require",
  };
  const read = (name: string) => env[name as keyof typeof env];
  const target = parseTarget("postgres://", read);
  assert.deepEqual(target.hosts.map(({ shown, isSocket }) => [shown, isSocket]), [
    ["db1:5433", false],
    ["/sockets:5433", true],
  ]);
  assert.deepEqual([target.user, target.database, target.password], ["app", "queue", SECRET]);
  assert.equal(target.tls.mode, "require");
  const other = parseTarget("postgresql://me:a%3Ab%40@[::1]:1/x%20y?sslmode=disable", read);
  assert.deepEqual(other.hosts[0], { shown: "[::1]:1", name: "::1", port: 1, isSocket: false });
  assert.deepEqual([other.user, other.database, other.password], ["me", "x y", "a:b@"]);
  assert.equal(other.tls.mode, "disable");
});

/** Listens on loopback, and does this with every connection. */
async function withListener(
  serve: (connection: Deno.Conn) => Promise<unknown>,
  check: (port: number) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Deno.Conn[] = [];
  const serving = (async () => {
    for await (const connection of listener) {
      connections.push(connection);
      serve(connection).catch(() => {}); // the other side may have gone
    }
  })();
  try {
    await check((listener.addr as Deno.NetAddr).port);
  } finally {
    listener.close();
    await serving.catch(() => {});
    for (const connection of connections) {
      try {
        connection.close();
      } catch { /* it is closed */ }
    }
  }
}

Deno.test("what listens there and is no PostgreSQL is told from one", async () => {
  const text = (words: string) => new TextEncoder().encode(words);
  const read = (connection: Deno.Conn) => connection.read(new Uint8Array(1_000));
  const answers = (words: string) => async (connection: Deno.Conn) => {
    await read(connection);
    await connection.write(text(words));
    connection.close();
  };
  for (
    const [serve, expected] of [
      [answers("HTTP/1.1 400 Bad Request\r\n\r\n"), /no PostgreSQL: it says "HTTP\/1.1 400 Bad/],
      [
        (connection: Deno.Conn) => connection.write(text("SSH-2.0-x\r\n")),
        /no PostgreSQL: it says "SSH-2\.0-x"/,
      ],
      [
        (connection: Deno.Conn) => Promise.resolve(connection.close()),
        /has closed the connection without an answer|connection was lost/,
      ],
      [() => Promise.resolve(), /it takes connections, but did not answer within 1 s/],
    ] as const
  ) {
    // Who answers is given time, on a machine with much else to do.
    const patience = expected.source.includes("within 1 s") ? 1 : 30;
    for (const mode of ["disable", "prefer", "require"]) {
      await withListener(serve, async (port) => {
        const url = `postgres://app:${SECRET}@127.0.0.1:${port}/queue?connect_timeout=${patience}`;
        assert.match(await refusalOf(`${url}&sslmode=${mode}`), expected, mode);
      });
    }
  }
  const nobody = `postgres://app:${SECRET}@127.0.0.1:1/queue`;
  assert.match(await refusalOf(nobody), /nothing listens there \(connection refused\)/);
  const unknown = `postgres://app:${SECRET}@nowhere.invalid/queue?connect_timeout=60`;
  assert.match(await refusalOf(unknown), /its host name (is not known|cannot be looked up now)/);
  const noSocket = `postgres://app:${SECRET}@/queue?host=/nowhere`;
  assert.match(await refusalOf(noSocket), /its socket does not exist/);
});

const HBA = `\
local   all all trust
host    all postgres 127.0.0.1/32 trust
hostssl all secure   127.0.0.1/32 scram-sha-256
hostssl all holder   127.0.0.1/32 cert
host    all outsider 127.0.0.1/32 reject
host    all app,poor,guest 127.0.0.1/32 scram-sha-256
`;

const ROLES = `
ALTER ROLE postgres SET password_encryption = 'scram-sha-256';
CREATE ROLE app LOGIN PASSWORD '${SECRET}'; CREATE ROLE outsider LOGIN; CREATE ROLE holder LOGIN;
CREATE ROLE secure LOGIN PASSWORD '${SECRET}'; CREATE ROLE poor LOGIN PASSWORD '${SECRET}' CONNECTION LIMIT 0;
CREATE ROLE guest LOGIN PASSWORD '${SECRET}'; GRANT app TO secure, holder;
CREATE DATABASE queue OWNER app;
CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C';
CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C';
CREATE DATABASE closed; ALTER DATABASE closed ALLOW_CONNECTIONS false;
CREATE DATABASE fixed; ALTER DATABASE fixed SET default_transaction_read_only = on`;

/** The server itself writes into its directory, as whom it runs. */
async function writeFile({ url }: PostgresServer, name: string, text: string): Promise<void> {
  await execute(
    url,
    `COPY (SELECT unnest(string_to_array('${text.trimEnd()}', E'\\n'))) ` +
      `TO PROGRAM 'umask 077; cat > ${name}'`,
  );
}

async function useCertificate(
  server: PostgresServer,
  certificate: string | null,
  key = "",
): Promise<void> {
  if (certificate !== null) {
    await writeFile(server, "server.crt", certificate);
    await writeFile(server, "server.key", key);
    await writeFile(server, "client_authority.crt", OTHER_AUTHORITY);
    await execute(server.url, "ALTER SYSTEM SET ssl_ca_file = 'client_authority.crt'");
  }
  await execute(server.url, `ALTER SYSTEM SET ssl = ${certificate === null ? "off" : "on"}`);
  await execute(server.url, "SELECT pg_reload_conf()");
  const expected = certificate === null ? "off" : "on";
  await eventually(async () => (await execute(server.url, "SHOW ssl"))[0]!["ssl"] === expected, {
    what: "the server has read its settings",
  });
}

/** Where packages are kept, which depends on the home directory where nothing else is said. */
async function denoDirectory(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

const server = await startPostgres({ isOwn: true });

if (server !== null) {
  await writeFile(server, "pg_hba.conf", HBA);
  await execute(server.url, "SELECT pg_reload_conf()");
  for (const statement of ROLES.split(";")) await execute(server.url, statement);
  const { port } = server;
  const at = (user: string, database = "queue", more = "") =>
    `postgres://${user}@localhost:${port}/${database}${more}`;
  const secret = (user: string) => `${user}:${SECRET}`;

  const letsIn = async (url: string, expected?: boolean) => {
    const store = await openPostgresStore(url);
    try {
      assert.equal((await store.stats(0)).counts.pending, 0);
      if (expected === undefined) return;
      // Sessions of those who were let in before may still be ending.
      const tls = "SELECT every(ssl = " + expected + ") AS is_so FROM pg_stat_ssl " +
        "JOIN pg_stat_activity USING (pid) WHERE application_name = 'queuectl'";
      await eventually(async () => (await execute(server.url, tls))[0]!["is_so"] === true, {
        what: `TLS was ${expected ? "" : "not "}spoken: ${url}`,
      });
    } finally {
      await store[Symbol.asyncDispose]();
    }
  };

  Deno.test("a server that does not let us in says why, in one line and without the password", async () => {
    const latin = at("postgres", "latin");
    for (
      const [url, expected] of [
        [at(`app:wrong${SECRET}`), /the server refuses this user with this password/],
        [at(secret("nobody")), /does not let this user in from here: no pg_hba\.conf entry/],
        [at("app"), /the server wants a password, and none was given; set PGPASSWORD, or write it/],
        [at(secret("outsider")), /from here: pg_hba\.conf rejects connection/],
        [at(secret("poor")), /too many connections.*for role "poor"/],
        [at(secret("app"), "none"), /has no database of this name; create it first \(createdb\)/],
        [at("postgres", "closed"), /not currently accepting connections/],
        [
          latin,
          /the encoding of the database is LATIN1, .*expected UTF8 \(createdb --encoding=UTF8/,
        ],
        [at("postgres", "ascii"), /the encoding of the database is SQL_ASCII/],
        [at("postgres", "fixed"), /takes no writes: it is set to read-only/],
        [at("postgres", "queue", "?options=-c%20search_path%3Dnone"), /search_path exists/],
        [at("postgres", "queue", "?options=-c%20nonsense%3D1"), /unrecognized configuration/],
        [at(secret("app"), "queue", "?sslmode=require"), /does not speak TLS, which sslmode asks/],
      ] as const
    ) {
      assert.match(await refusalOf(url), expected, url);
    }
    await execute(at("postgres"), "REVOKE CREATE ON SCHEMA public FROM public");
    assert.match(
      await refusalOf(at(secret("guest"))),
      /it needs CREATE on the schema, .*: permission denied for schema public/,
    );
    // The same to the eyes of whoever runs the program.
    await using sandbox = await Sandbox.create(at(`app:wrong${SECRET}`));
    const { code, stdout, stderr } = await sandbox.run(["list"]);
    assert.deepEqual([code, stdout], [5, ""]);
    assert.match(stderr, /^error: cannot use the database postgres:\/\/app@localhost[^\n]*\n$/);
    assert.doesNotMatch(stderr, new RegExp(SECRET));
  });

  Deno.test("the password may stand in the environment or in a file that others cannot read", async () => {
    await execute(at("postgres"), "GRANT CREATE ON SCHEMA public TO app");
    const url = at("app");
    await using sandbox = await Sandbox.create(url);
    const run = async (env: Record<string, string>) => {
      const home = { HOME: sandbox.dir, DENO_DIR: await denoDirectory() };
      const { code, stderr } = await sandbox.run(["list"], { env: { ...home, ...env } });
      return code === 0 ? "in" : stderr;
    };
    assert.match(await run({}), /wants a password, and none was given/);
    assert.equal(await run({ PGPASSWORD: SECRET }), "in");
    const file = join(sandbox.dir, ".pgpass");
    const lines = [`other:*:*:app:x`, `localhost:${port}:queue:ap\\p:${SECRET}`, ""].join("\n");
    await Deno.writeTextFile(file, lines, { mode: 0o600 });
    assert.equal(await run({}), "in");
    assert.match(
      await run({ PGPASSFILE: join(sandbox.dir, "none") }),
      /none cannot be read: there is/,
    );
    await Deno.chmod(file, 0o644);
    assert.match(await run({}), /\.pgpass can be read by others, and is not used: chmod 600/);
  });

  Deno.test("a socket is a host, too", async () => {
    const [row] = await execute(server.url, "SHOW unix_socket_directories");
    const directory = row!["unix_socket_directories"] as string;
    await letsIn(
      `postgres://postgres@/postgres?host=${directory}&port=${port}&sslmode=require`,
      false,
    );
  });

  Deno.test("TLS is spoken as sslmode says, and what it asks for holds", async () => {
    const files = await Deno.makeTempDir({ prefix: "queuectl-tls-" });
    const file = async (name: string, text: string) => {
      await Deno.writeTextFile(join(files, name), text);
      return join(files, name);
    };
    const own = await file("own.crt", TEST_AUTHORITY);
    const other = await file("other.crt", OTHER_AUTHORITY);
    const [cert, key] = [await file("c.crt", CLIENT_CERTIFICATE), await file("c.key", CLIENT_KEY)];
    const app = (more: string) => at(secret("app"), "queue", more);
    const byNumber = (more: string) => app(more).replace("localhost", "127.0.0.1");
    try {
      await letsIn(app("?sslmode=prefer"), false);
      await useCertificate(server, TEST_CERTIFICATE, TEST_KEY);
      await letsIn(app(""), true);
      await letsIn(app("?sslmode=disable"), false);
      await letsIn(app("?sslmode=allow"), false);
      await letsIn(at(secret("secure"), "queue", "?sslmode=allow"), true);
      await letsIn(byNumber("?sslmode=require"), true);
      await letsIn(app(`?sslmode=verify-full&sslrootcert=${own}`), true);
      const isNew = !Deno.version.deno.startsWith("2.4.");
      const byAuthority = byNumber(`?sslmode=verify-ca&sslrootcert=${own}`);
      if (isNew) await letsIn(byAuthority, true);
      else assert.match(await refusalOf(byAuthority), /Deno 2\.4\.\d+ looks at the name with/);
      for (
        const [url, expected] of [
          [at(secret("secure"), "queue", "?sslmode=disable"), /no pg_hba\.conf entry/],
          [app("?sslmode=verify-full"), /by an authority that is not trusted \(.*name its file/],
          [app(`?sslmode=require&sslrootcert=${other}`), /by an authority that is not trusted/],
          [byNumber(`?sslmode=verify-full&sslrootcert=${own}`), /certificate is for another name/],
          [app(`?sslmode=verify-full&sslrootcert=${key}`), /no secure connection|no authority/],
          [app(`?sslmode=require&sslcert=${cert}`), isNew ? /expected sslkey/ : /expected 2\.9/],
          [at("holder", "queue", "?sslmode=require"), /requires a valid client certificate/],
        ] as const
      ) {
        assert.match(await refusalOf(url), expected, url);
      }
      const shown = at("holder", "queue", `?sslmode=require&sslcert=${cert}&sslkey=${key}`);
      if (isNew) await letsIn(shown, true);
      else assert.match(await refusalOf(shown), /Deno 2\.4\.\d+ shows PostgreSQL no certificates/);
      await useCertificate(server, EXPIRED_CERTIFICATE, EXPIRED_KEY);
      const expired = app(`?sslmode=verify-full&sslrootcert=${other}`);
      await eventually(
        async () =>
          /no secure connection: .*certificate has expired/.test(await refusalOf(expired)),
        { what: "the certificate was refused because it has expired" },
      );
    } finally {
      await useCertificate(server, null);
      await Deno.remove(files, { recursive: true });
    }
  });

  Deno.test("what the server cannot do now is told, and the same store works when it can again", async () => {
    const url = at("postgres", "postgres");
    const store = await openPostgresStore(url);
    try {
      for (
        const [code, expected] of [
          ["53100", /the disk of the server is full/],
          ["53200", /the server is out of memory/],
          ["58030", /the server cannot read or write its disk/],
          ["57014", /the server has cancelled the statement/],
          ["57P03", /the server is starting or shutting down: no/],
          ["42501", /the user may not do this.*: no/],
        ] as const
      ) {
        await execute(
          url,
          "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " +
            `RAISE 'no' USING ERRCODE = '${code}'; END $$; ` +
            "CREATE TRIGGER refuse BEFORE INSERT ON jobs EXECUTE FUNCTION refuse()",
        );
        await assert.rejects(store.add([newJob()], T0), ({ code, message }) => {
          assert.equal(code, "store-unavailable");
          assert.match(message, expected);
          return true;
        });
        await execute(url, "DROP TRIGGER refuse ON jobs");
        assert.deepEqual(await store.add([newJob()], T0), { duplicates: [] });
      }
    } finally {
      await store[Symbol.asyncDispose]();
    }
  });

  Deno.test("a table that was taken away is said to be missing", async () => {
    await (await openPostgresStore(at("postgres", "postgres")))[Symbol.asyncDispose]();
    await execute(server.url, "DROP TABLE jobs CASCADE");
    const store = await openPostgresStore(at("postgres", "postgres"));
    const refusal = {
      code: "store-unavailable",
      message: /tables are not those .*"jobs" does not/,
    };
    await assert.rejects(store.find("x"), refusal);
    await store[Symbol.asyncDispose]();
  });

  Deno.test("a server that is away, starts or is full says so", async () => {
    const alive = setInterval(() => {}, 1_000); // nothing else is while the server is away
    try {
      await execute(server.url, "ALTER SYSTEM SET max_connections = 5");
      await execute(server.url, "ALTER SYSTEM SET superuser_reserved_connections = 4");
      await server.own!.restart("fast");
      const first = await openPostgresStore(at(secret("app")));
      assert.match(await refusalOf(at(secret("app"))), /too many connections; raise its max_conn/);
      await first[Symbol.asyncDispose]();
      await server.own!.stop("fast");
      assert.match(await refusalOf(at(secret("app"))), /nothing listens there/);
    } finally {
      clearInterval(alive);
    }
  });
}
