import { join } from 'node:path'
import { findNode } from '@peerhost/sandbox'
import { FIXTURES } from '../lib/fixtures.ts'
import { freePort, type Peer, startPeer } from './peer.ts'

/** The floor: one Node process with an HTTP server that calls the hello handler, nothing else. */
export async function startNodeServer(): Promise<Peer> {
  const port = await freePort()
  return startPeer('plain Node', port, '/hello', findNode(), [join(FIXTURES, 'peers/node-server.cjs'), String(port)])
}
