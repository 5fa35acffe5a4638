/** What the drivers of both queues on PostgreSQL share: a database of their own, and counting. */
import type { OpenOptions } from "./driver.ts";

interface Pg {
  default: {
    Client: new (options: { connectionString: string }) => {
      connect(): Promise<void>;
      query(sql: string): Promise<{ rows: { count: string }[] }>;
      end(): Promise<void>;
    };
  };
}

export interface Counter {
  readonly connectionString: string;
  /** Runs a `SELECT count(*) AS count …`. */
  count(sql: string): Promise<number>;
  close(): Promise<void>;
}

/** Creates the database that `options` names and connects to it. */
export async function createDatabase({ name, port, load }: OpenOptions): Promise<Counter> {
  const { default: { Client } } = await load<Pg>("pg");
  const at = (database: string) => `postgres://queue@127.0.0.1:${port}/${database}`;
  const first = new Client({ connectionString: at("postgres") });
  await first.connect();
  await first.query(`CREATE DATABASE ${name}`);
  await first.end();
  const client = new Client({ connectionString: at(name) });
  await client.connect();
  return {
    connectionString: at(name),
    count: async (sql) => Number((await client.query(sql)).rows[0]!.count),
    close: () => client.end(),
  };
}
