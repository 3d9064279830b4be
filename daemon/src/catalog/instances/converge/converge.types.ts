/** The ports that converging and the other actions on an instance share. */
import type { Logger } from '../../../logging/logger.types.ts';
import type { ObjectStore } from '../../../store/object-store.types.ts';
import type { Decide } from '../../model/ports.ts';
import type { CopyPublishing } from '../../modules/ports.ts';
import type { InstanceObjects } from '../apply/apply.types.ts';
import type { InstanceFiles } from '../files/files.types.ts';
import type { Objects, PlacementNodes, SecretNames } from '../instances.types.ts';
import type { Repositories } from '../repository/repository.types.ts';
import type { AppAddresses } from '../service-instances.types.ts';
import type { Staging } from '../staging/staging.types.ts';
import type { Tasks } from '../tasks/tasks.ts';
import type { OneAtATime } from './one-at-a-time.ts';

export interface ConvergePorts {
  store: ObjectStore;
  /** This node's name. */
  node: string;
  decide: Decide;
  repositories: Repositories;
  files: InstanceFiles;
  staging: Staging;
  tasks: Tasks;
  /** Writes the Model, Types and Resources of an instance. */
  model: InstanceObjects;
  copies: CopyPublishing;
  nodes: PlacementNodes;
  objects: Objects;
  secrets: SecretNames;
  apps: AppAddresses;
  turns: OneAtATime;
  logger: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
}
