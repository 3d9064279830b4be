/** The credentials by which the API and its clients recognise each other: the operator's token, and the certificate with its authority. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { openOperatorToken } from '../access/operator-token.ts';
import type { OperatorToken } from '../access/operator-token.types.ts';
import { openCertificates, renewCertificate } from '../api/listening/certificates.ts';
import type { Certificates } from '../api/listening/certificates.types.ts';
import { openToGroup } from '../process/data-directory.ts';
import type { OpenNode } from './node-opening.ts';

export interface Credentials {
  tokens: OperatorToken;
  certificate: Certificates;
  renewCertificate(): Promise<Certificates | undefined>;
}

export async function openCredentials({ config, node, directory, gid, logger }: OpenNode): Promise<Credentials> {
  const tokenOptions = { file: join(directory, 'admin.token') };
  const tokens = await openOperatorToken(gid === undefined ? tokenOptions : { ...tokenOptions, gid });
  const certificates = { dir: directory, names: [hostname(), node.name, config.api.host] };
  const certificate = await openCertificates({
    ...certificates,
    onReplaced: () =>
      logger.warn({}, 'The certificate authority of the API is new; clients with the old one need it: dtkd kubeconfig --write'),
  });
  if (gid !== undefined) await openToGroup(join(directory, 'ca.crt'), gid);
  return { tokens, certificate, renewCertificate: () => renewCertificate(certificates) };
}
