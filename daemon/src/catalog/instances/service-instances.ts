/**
 * Service instances of this node as one part: assemblies are staged into repositories, edited, converged, inspected and taken
 * down. Owns the ServiceInstance and Task objects, the rows `i/…` and the directory that it is given. Guarantees that one thing
 * at a time is done with each instance, and that interrupted work resumes from what was recorded. Runs no command itself:
 * dispatch does, and targets decide.
 */
import { Rights } from '../model/rights.ts';
import { createInstanceObjects } from './apply/instance-objects.ts';
import { tellApplied } from './converge/changing.ts';
import { OneAtATime } from './converge/one-at-a-time.ts';
import { serviceInstances } from './converge/part.ts';
import { resourceTaken } from './converge/resources.ts';
import { createInstanceFiles } from './files/instance-files.ts';
import { createRepositories } from './repository/repositories.ts';
import type { ServiceInstances, ServiceInstancesOptions } from './service-instances.types.ts';
import { createStaging } from './staging/staging.ts';
import { createTasks } from './tasks/tasks.ts';

export function createServiceInstances(options: ServiceInstancesOptions): ServiceInstances {
  const { store, node, directory, decide, decideMove, modules, commands, output, nodes, objects, secrets, apps, logger } = options;
  const now = options.now ?? (() => Date.now());
  const repositories = createRepositories({ directory, now });
  const model = createInstanceObjects({ node: node.name, rights: new Rights({ decide, decideMove, node: node.name }) });
  const deleted = (instance: string) => resourceTaken({ model, node: node.name }, instance);
  const settled = (instance: string) => tellApplied({ store, node: node.name }, instance);
  const part = serviceInstances({
    store,
    node: node.name,
    decide,
    repositories,
    files: createInstanceFiles({ repositories, bases: modules }),
    staging: createStaging({ repositories, modules }),
    tasks: createTasks({ store, node: node.name, commands, output, logger, deleted, settled, now }),
    model,
    copies: modules,
    nodes,
    objects,
    secrets,
    apps,
    turns: new OneAtATime(),
    logger,
    now,
  });
  return {
    ...part,
    repositories: {
      names: () => repositories.names(),
      alone: async (name, work) => {
        const repository = await repositories.open(name);
        return repository.alone(({ directory }) => work(directory));
      },
    },
  };
}
