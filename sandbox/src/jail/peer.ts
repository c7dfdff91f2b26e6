import type { Socket } from 'node:net'
import { getNatives } from '../host/natives.ts'

/**
 * The process on the other side of a unix socket, as the kernel recorded it when it connected (SO_PEERCRED): a pid of
 * this process's namespace; 0 if it cannot be told. Nobody can give another one's.
 */
export function peerOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { _handle: { fd: number } | null }
  return handle && handle.fd >= 0 ? getNatives().peerPid(handle.fd) : 0
}
