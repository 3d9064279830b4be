/** The page "dtDomains" that dtkd's users come from: its documents as they stand there, and what it shows of `kubectl describe`. */

const TOKEN_OF_PAGE =
  'VHNL8qPUdHRoaOTJ8oOoyoKD59CmJO/KxjluEj6pIX0mC8RBgQwGKepPHb1rhP2U65uWyGYSoooW9+bbYnOS3QAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABFCuuq+JuQxlZJa2NpDN5c4WouM93gjU6Dkewdb5N17tfi70gBGew4RkpXdVPgJGHm/0Y0uYmqKmBL5hQ0Z0uIzKlEe5dRI8dKzzJyaPMmFFiXQMCBq4MVQKoaoQAAAAAAAAAAAAAAAAAAAABrAO/ual8n3psD3QecqfPb//7Ahkjm5wi8Oy0Sied4XjYku/KEsp3K6UFzsPpdl6MPvFIuq4tnOUFz9p7q0+0d';

export const FOUND = `apiVersion: sid.sightlineinnovation.com/v1
kind: dtDomain
metadata:
  name: mydomain
`;

export const JOIN = `apiVersion: sid.sightlineinnovation.com/v1
kind: dtDomain
metadata:
  name: mydomain
spec:
  peer:
    address: 1.2.3.4
    inviteToken: ${TOKEN_OF_PAGE}
`;

/** The document of the page with the address of a node, and a token that is good there. */
export function joinThrough(address: string, token: string): string {
  return JOIN.replace('1.2.3.4', address).replace(TOKEN_OF_PAGE, token);
}

export const SERVICE = `apiVersion: v1
kind: Service
metadata:
  name: example-service
spec:
  ports:
  - protocol: TCP
    port: 8080
    targetPort: 12345
---
apiVersion: v1
kind: Endpoints
metadata:
  name: example-service
subsets:
- addresses:
  - ip: 10.1.2.3
  ports:
  - port: 12345
`;

export const APP = `apiVersion: sid.sightlineinnovation.com/v1
kind: dtApp
metadata:
  name: mydtapp
serviceSelector:
  name: example-service
domainSelector:
  name:
  - mydomain
spec:
  authenticationType: None
`;

export const DOMAIN_SHOWN = `Name:         mydomain
Namespace:    node0
Labels:       <none>
Annotations:  <none>
API Version:  sid.sightlineinnovation.com/v1
Invite Token: ${TOKEN_OF_PAGE}
Kind:         dtDomain
Metadata:
  Creation Timestamp:  2020-09-22T17:37:16Z
  Generation:          5
  Resource Version:    44438196
  Self Link:           /apis/sid.sightlineinnovation.com/v1/namespaces/node0/dtdomains/mydomain
  UID:                 7486c9fd-dc8d-412b-8ec8-ea3823969156
Peers:
  ca777327efb4498ab8c8876a6488701e
Status:  Ready
Events:  <none>
`;

export const PEER_SHOWN = `Name:         ca777327efb4498ab8c8876a6488701e
Namespace:    node0
Labels:       <none>
Annotations:  <none>
Address:      100.64.0.2
API Version:  sid.sightlineinnovation.com/v1
Connected:    true
Dt Domain:    mydomain
Id:           ca777327efb4498ab8c8876a6488701e
Kind:         dtPeer
Metadata:
  Creation Timestamp:  2020-11-30T20:15:22Z
  Generation:          14
  Resource Version:    2522953
  Self Link:           /apis/sid.sightlineinnovation.com/v1/namespaces/node0/dtpeers/ca777327efb4498ab8c8876a6488701e
  UID:                 af4a0ddf-d1e6-4830-a144-9c52a2d1a1e9
Name:        node0.example.org
Public Key:  Zi1YbyozJju2gzsmEFZxQTsj2VA9hLJmWiFK7YUgaVY=
Events:      <none>
`;

export const COPY_SHOWN = `Name:         0dc2454cd73640a0816c1fee74a040c3
Namespace:    node1
Labels:       <none>
URI:          http://0dc2454cd73640a0816c1fee74a040c3.node1.example.org
API Version:  sid.sightlineinnovation.com/v1
Domain Selector:
  Name:
    mydomain
Kind:  dtApp
Metadata:
  Creation Timestamp:  2020-09-22T17:38:21Z
  Generation:          2
  Resource Version:    44438333
  Self Link:           /apis/sid.sightlineinnovation.com/v1/namespaces/node1/dtapps/0dc2454cd73640a0816c1fee74a040c3
  UID:                 e1727794-18b4-4ef2-be58-5205a0455b40
Spec:
  Authentication Type:  None
Events:                 <none>
`;
