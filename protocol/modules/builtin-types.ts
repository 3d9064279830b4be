/** The types that every node has. They are open, so that imported resources can keep all their properties. */
import type { TypeSpec } from '../kinds/type.ts';

const RANK = {
  type: 'integer',
  default: 1,
  description: 'Where it stands in the order of starting, lowest first; stopping goes the other way.',
} as const;

export const BUILTIN_TYPES: readonly (TypeSpec & { name: string })[] = [
  {
    name: 'Host',
    open: true,
    description: 'A machine, whether a daemon runs on it or not.',
    properties: {
      hostname: { description: 'Name or address by which it is reached, and :PORT where that is not the usual one.' },
      osFamily: { description: 'unix or windows.' },
      osName: { description: 'Linux, Darwin, Windows.' },
      osVersion: { description: 'Version of its system.' },
      osArch: { description: 'x64, arm64 and the like.' },
      username: { description: 'Who is to log in there.' },
      tags: { type: 'array', description: 'Words to choose it by.' },
    },
  },
  {
    name: 'Service',
    open: true,
    description: 'A program that runs: it can be started, stopped and asked whether it is up.',
    properties: {
      basedir: { description: 'Directory of its data and configuration.' },
      'install-root': { description: 'Directory into which its packages are installed.' },
      port: { type: 'port', exported: true, description: 'Where it listens.' },
      'startup-rank': RANK,
    },
  },
  {
    name: 'Site',
    open: true,
    description: 'A group of resources that are managed together, on however many nodes.',
    properties: { 'startup-rank': RANK },
  },
  {
    name: 'Package',
    open: true,
    description: 'Something that is installed: an archive, a system package, an image.',
    properties: {
      version: { exported: true, description: 'Its version.' },
      filename: { exported: true, description: 'Its file.' },
      url: { exported: true, description: 'Where it is fetched.' },
      'package-type': { description: 'Its format: tar, deb, rpm, jar, image.' },
      'install-rank': { ...RANK, description: 'Where it stands in the order of installing, lowest first.' },
    },
  },
  {
    name: 'Setting',
    open: true,
    description: 'A value that its parents read.',
    properties: {
      value: { exported: true, description: 'The value.' },
      kind: { exported: true, description: 'What it is a value of: port, path, address.' },
    },
  },
];
