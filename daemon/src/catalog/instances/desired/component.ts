/** A component on its way to resources. */
import type { Component } from '../../../../../protocol/definitions/assembly.ts';
import type { ComponentType } from './copied-types.ts';

export interface Placed {
  /** Within the instance: `web`, `web-1`, `web-node3`. */
  name: string;
  node: string;
}

export interface ExpandedComponent {
  name: string;
  written: Component;
  /** Undefined: a violation tells why. */
  type: ComponentType | undefined;
  /** In the order of their numbers, else of their nodes. */
  resources: readonly Placed[];
  /** It has a count, so that there may be several: taking from it gives a list even if there is one. */
  counted: boolean;
  /** False: a violation tells why it has no resources. */
  placed: boolean;
}

export type Components = ReadonlyMap<string, ExpandedComponent>;
