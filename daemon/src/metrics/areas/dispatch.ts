/** Metrics of executions that this node started, commands that it ran, and orders that it holds. */
import { type Area, area, each, one } from '../family.ts';

export interface DispatchNumbers {
  executions: Readonly<Record<string, number>>;
  targets: Readonly<Record<string, number>>;
  expired: number;
  running: number;
  queued: number;
  here: { outcomes: Readonly<Record<string, number>>; outputBytes: number; running: number; waiting: number };
  held: { orders: number; bytes: number; firstExpiry: number | undefined };
}

export function dispatchArea(read: () => DispatchNumbers): Area {
  return area('dispatch', read, [
    {
      name: 'dtkd_executions_total',
      help: 'Ended executions that this node started; failed if any target failed',
      type: 'counter',
      labels: ['outcome'],
      samples: ({ executions }) => each('outcome', executions),
    },
    {
      name: 'dtkd_executions_running',
      help: 'Executions that this node started and that still have running targets',
      type: 'gauge',
      samples: ({ running }) => one(running),
    },
    {
      name: 'dtkd_execution_targets_total',
      help: 'Targets of ended executions, by outcome',
      type: 'counter',
      labels: ['outcome'],
      samples: ({ targets }) => each('outcome', targets),
    },
    {
      name: 'dtkd_execution_targets_queued',
      help: 'Targets of running executions that are away and whose orders are held',
      type: 'gauge',
      samples: ({ queued }) => one(queued),
    },
    {
      name: 'dtkd_orders_expired_total',
      help: 'Targets whose orders expired before delivery or their turn',
      type: 'counter',
      samples: ({ expired }) => one(expired),
    },
    {
      name: 'dtkd_orders_held',
      help: 'Orders held here for members that are away, whoever started them',
      type: 'gauge',
      samples: ({ held }) => one(held.orders),
    },
    {
      name: 'dtkd_orders_held_bytes',
      help: 'Bytes of these orders',
      type: 'gauge',
      samples: ({ held }) => one(held.bytes),
    },
    {
      name: 'dtkd_orders_first_expiry_timestamp_seconds',
      help: 'When the first of these orders expires; absent if there are none',
      type: 'gauge',
      samples: ({ held }) => (held.firstExpiry === undefined ? [] : one(held.firstExpiry / 1000)),
    },
    {
      name: 'dtkd_commands_running',
      help: 'Parts of executions running on this node, whoever started them',
      type: 'gauge',
      samples: ({ here }) => one(here.running),
    },
    {
      name: 'dtkd_commands_waiting',
      help: 'Parts accepted here that wait for their turn',
      type: 'gauge',
      samples: ({ here }) => one(here.waiting),
    },
    {
      name: 'dtkd_commands_total',
      help: 'Parts ended on this node, by outcome',
      type: 'counter',
      labels: ['outcome'],
      samples: ({ here }) => each('outcome', here.outcomes),
    },
    {
      name: 'dtkd_commands_output_bytes_total',
      help: 'Bytes of output kept of ended parts',
      type: 'counter',
      samples: ({ here }) => one(here.outputBytes),
    },
  ]);
}
