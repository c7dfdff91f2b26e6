import { join } from 'node:path'
import type { Jail } from '../jail/jail.ts'
import type { SandboxFunction } from '../types.ts'
import { createEgressBroker, type EgressBrokerOptions } from './broker.ts'

/** How names are resolved and addresses are connected to: the real ways, but in tests. */
export type EgressNetwork = Pick<EgressBrokerOptions, 'resolve' | 'connect'>

/**
 * Opens a jail's way to the hosts of its function's list, if it has one. Only the execution that the worker ordered may use
 * it, never the zygote. A function with a warm-up request has no network until its request comes: what it is warmed with
 * must be the same on every worker.
 */
export async function openEgress(jail: Jail, { definition }: SandboxFunction, network?: EgressNetwork): Promise<void> {
  const { egress, warmup } = definition
  if (egress.length === 0) return
  const broker = await createEgressBroker({
    socketPath: join(jail.socketFolder, 'egress.sock'),
    allowed: egress,
    isAllowedPeer: (pid) => jail.isExecution(pid) && (!warmup || jail.isAsked),
    log: (line) => jail.addLog(line),
    ...network,
  })
  jail.onSettle = () => broker.endAll()
  void jail.gone.then(() => broker.close())
}
