/**
 * Serf agents on loopback, spoken to over their RPC (MessagePack), so that neither a CLI process nor an event handler is part of what is
 * measured: an event is sent on one connection, and each agent's connection tells when it has it.
 */
import { connect, type Socket } from 'node:net';
import { Child } from '../../test/harness/child.ts';
import { freePort } from '../../test/harness/ports.ts';
import { findProgram } from '../../test/harness/programs.ts';
import { waitFor } from '../../test/wait.ts';
import { accepts } from './ssh.ts';

type Value = string | number | boolean | readonly string[] | { readonly [key: string]: Value };

/** As much MessagePack as serf's requests need: short strings, small numbers, booleans, short lists and maps. */
function pack(value: Value): Buffer {
  if (typeof value === 'string') {
    const bytes = Buffer.from(value);
    return Buffer.concat([
      bytes.length < 32 ? Buffer.from([0xa0 | bytes.length]) : Buffer.from([0xda, bytes.length >> 8, bytes.length & 0xff]),
      bytes,
    ]);
  }
  if (typeof value === 'number') return Buffer.from([value]);
  if (typeof value === 'boolean') return Buffer.from([value ? 0xc3 : 0xc2]);
  if (Array.isArray(value)) return Buffer.concat([Buffer.from([0x90 | value.length]), ...value.map((each: string) => pack(each))]);
  const entries = Object.entries(value as Record<string, Value>);
  return Buffer.concat([Buffer.from([0x80 | entries.length]), ...entries.flatMap(([key, each]) => [pack(key), pack(each)])]);
}

interface Agent {
  child: Child;
  rpc: Socket;
  /** Names of the user events that it has told of. */
  heard: string;
}

export class SerfCluster {
  readonly #agents: Agent[] = [];

  /** Starts `count` agents and joins them all. */
  static async start(count: number): Promise<SerfCluster> {
    const cluster = new SerfCluster();
    try {
      const first = await cluster.#startAgent(0, undefined);
      for (let index = 1; index < count; index += 1) await cluster.#startAgent(index, first);
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  /** Milliseconds from sending an event at the first agent until each has told of it. Those that have not in time are left out. */
  async event(name: string, timeoutMs: number): Promise<number[]> {
    const times: (number | undefined)[] = this.#agents.map(() => undefined);
    const began = performance.now();
    this.#agents.forEach((agent, index) => {
      const listener = (): void => {
        if (agent.heard.includes(name)) {
          times[index] = performance.now() - began;
          agent.rpc.off('data', listener);
        }
      };
      agent.rpc.on('data', listener);
    });
    this.#agents[0]?.rpc.write(Buffer.concat([pack({ Command: 'event', Seq: 9 }), pack({ Name: name, Payload: 'x', Coalesce: false })]));
    await waitFor(() => times.every((time) => time !== undefined), { what: 'the event everywhere', timeoutMs, pollMs: 10 }).catch(
      () => undefined,
    );
    return times.filter((time) => time !== undefined);
  }

  async close(): Promise<void> {
    for (const agent of this.#agents) agent.rpc.destroy();
    await Promise.all(this.#agents.map((agent) => agent.child.end('SIGKILL')));
  }

  async #startAgent(index: number, join: number | undefined): Promise<number> {
    const [bind, rpc] = [await freePort(), await freePort()];
    const child = new Child({
      command: findProgram('serf') ?? 'serf',
      args: [
        ...['agent', `-node=bench-${index}`, `-bind=127.0.0.1:${bind}`, `-rpc-addr=127.0.0.1:${rpc}`, '-profile=lan', '-log-level=err'],
        ...(join === undefined ? [] : [`-join=127.0.0.1:${join}`]),
      ],
    });
    await child.until(() => accepts(rpc), { what: 'a serf agent to listen' });
    const agent: Agent = { child, rpc: connect({ host: '127.0.0.1', port: rpc }), heard: '' };
    agent.rpc.on('error', () => undefined);
    agent.rpc.setEncoding('latin1').on('data', (text: string) => {
      agent.heard = (agent.heard + text).slice(-65_536);
    });
    agent.rpc.write(
      Buffer.concat([
        pack({ Command: 'handshake', Seq: 1 }),
        pack({ Version: 1 }),
        pack({ Command: 'stream', Seq: 2 }),
        pack({ Type: 'user' }),
      ]),
    );
    this.#agents.push(agent);
    return bind;
  }
}
