import { createServer } from 'node:net'
import { PeerHostError } from '@peerhost/protocol'

/** Throws PH_DEV_PORT_IN_USE where somebody else listens on that port of this machine; 0 is always free. */
export async function assertPortFree(port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const server = createServer()
    server.once('error', () => reject(new PeerHostError('PH_DEV_PORT_IN_USE', { port })))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve()))
  })
}
