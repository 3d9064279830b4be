/** The types that every node has. They are open, so that imported resources can keep all their properties. */
import type { TypeSpec } from '../kinds/type.ts';

const RANK = {
  type: 'integer',
  default: 1,
  description: 'The rank in the start order, lowest first. The stop order is the reverse.',
} as const;

export const BUILTIN_TYPES: readonly (TypeSpec & { name: string })[] = [
  {
    name: 'Host',
    open: true,
    description: 'A machine, whether a daemon runs on it or not.',
    properties: {
      hostname: { description: 'The host name or address, with :PORT if the port is not the usual one.' },
      osFamily: { description: 'The family of the operating system: unix or windows.' },
      osName: { description: 'The operating system: Linux, Darwin or Windows.' },
      osVersion: { description: 'The version of the operating system.' },
      osArch: { description: 'The processor architecture, such as x64 or arm64.' },
      username: { description: 'The user to log in as.' },
      tags: { type: 'array', description: 'Tags to select the host by.' },
    },
  },
  {
    name: 'Service',
    open: true,
    description: 'A program that can be started, stopped and asked whether it is running.',
    properties: {
      basedir: { description: 'The directory of its data and configuration.' },
      'install-root': { description: 'The directory that its packages are installed into.' },
      port: { type: 'port', exported: true, description: 'The port that it listens on.' },
      'startup-rank': RANK,
    },
  },
  {
    name: 'Site',
    open: true,
    description: 'A group of resources that are managed together, on any number of nodes.',
    properties: { 'startup-rank': RANK },
  },
  {
    name: 'Package',
    open: true,
    description: 'Software to install: an archive, a system package or an image.',
    properties: {
      version: { exported: true, description: 'The version.' },
      filename: { exported: true, description: 'The name of the file.' },
      url: { exported: true, description: 'The URL to fetch it from.' },
      'package-type': { description: 'The format: tar, deb, rpm, jar or image.' },
      'install-rank': { ...RANK, description: 'The rank in the installation order, lowest first.' },
    },
  },
  {
    name: 'Setting',
    open: true,
    description: 'A value that its parents read.',
    properties: {
      value: { exported: true, description: 'The value.' },
      kind: { exported: true, description: 'The kind of the value, such as port, path or address.' },
    },
  },
];
