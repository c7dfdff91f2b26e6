import { closeSync, constants, openSync } from 'node:fs'
import type { Server } from 'node:net'
import { join } from 'node:path'

const BACKLOG = 511

/**
 * Has a server listen on a unix socket in a folder. Whoever connects can ask the kernel for the path by which it was bound
 * (a diagnostic report of Node's does): that is one that tells nothing of this machine, and shorter than a socket's may be.
 */
export async function listenIn(folder: string, name: string, server: Server, backlog = BACKLOG): Promise<void> {
  const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  const close = () => closeSync(fd)
  server.once('close', close) // which takes the socket away by this path
  const path = join('/proc/self/fd', String(fd), name)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ path, backlog }, () => {
        server.off('error', reject)
        resolve()
      })
    })
  } catch (error) {
    server.off('close', close)
    close()
    throw error
  }
}
