/** The files that `dtkd module init` writes: a module that works unchanged. Pure. */
import { MANIFEST_FILE } from '../../protocol/definitions/module.ts';

export interface NewFile {
  path: string;
  text: string;
  executable: boolean;
}

/** The first type of a module of this name: `acme/web-server` gives `WebServer`. */
function firstTypeOf(module: string): string {
  const words = (module.split('/')[1] ?? '').split('-').filter(Boolean);
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  return /^[A-Za-z]/.test(name) ? name : `Type${name}`;
}

export function newModuleFiles(module: string): NewFile[] {
  const type = firstTypeOf(module);
  return [
    { path: MANIFEST_FILE, text: manifest(module, type), executable: false },
    { path: 'bin/assert-up', text: ASSERT_UP, executable: true },
    { path: 'bin/start', text: START, executable: true },
    { path: 'bin/stop', text: STOP, executable: true },
  ];
}

function manifest(module: string, type: string): string {
  return `dsl_version: "1.0"
module: ${module}
version: 0.1.0
description: What it is for, in one sentence.

types:
  ${type}:
    extends: Service
    description: What a resource of this type is.
    properties:
      port:
        type: port
        default: 8080
    commands:
      assertServiceIsUp:
        description: Succeeds if it runs.
        script: {file: bin/assert-up}
      startService:
        private: true
        script: {file: bin/start, args: ["\${properties.port}"]}
      Start:
        description: Starts it, unless it runs already.
        workflow:
          steps:
            - command: assertServiceIsUp
              on-failure:
                - command: startService
      Stop:
        description: Stops it. Succeeds if it does not run.
        script: {file: bin/stop}
      # for services: a converge runs these when a resource is new, changed or removed; "service drift" runs check
      create:
        workflow: {steps: [{command: Start}]}
      converge:
        workflow: {steps: [{command: Stop}, {command: startService}]}
      delete:
        workflow: {steps: [{command: Stop}]}
      check:
        workflow: {steps: [{command: assertServiceIsUp}]}
`;
}

const ASSERT_UP = `#!/bin/sh
# Runs in the directory of the resource. Exit status 0: it is up.
pid=$(cat var/service.pid 2>/dev/null) && kill -0 "$pid" 2>/dev/null || { echo "it does not run"; exit 1; }
echo "it runs as process $pid"
`;

const START = `#!/bin/sh
# $1: the port, from the property of the resource. Replace "sleep" with your program.
mkdir -p var || exit 1
nohup sleep 86400 </dev/null >var/service.log 2>&1 &
echo $! >var/service.pid
echo "started as process $!, port $1"
`;

const STOP = `#!/bin/sh
pid=$(cat var/service.pid 2>/dev/null) || { echo "it does not run"; exit 0; }
kill "$pid" 2>/dev/null
rm -f var/service.pid
echo "stopped"
`;
