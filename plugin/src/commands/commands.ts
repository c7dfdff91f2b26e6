import type { PeerHostProvider } from '../provider.ts'
import { withServerlessErrors } from '../serverless-error.ts'
import type { CommandDefinition, Hooks } from '../serverless-types.ts'
import { deployCommand } from './deploy.ts'
import { devCommand } from './dev.ts'
import { infoCommand } from './info.ts'
import { invokeCommand } from './invoke.ts'
import { invokeLocalCommand } from './invoke-local.ts'
import { logsCommand } from './logs.ts'
import { metricsCommand } from './metrics.ts'
import { packageCommand } from './package.ts'
import { removeCommand } from './remove.ts'
import { versionCommands } from './versions.ts'

/** One command's part of the plugin. Hooks are named as in Serverless: `deploy:deploy`. */
export interface CommandPart {
  commands: Record<string, CommandDefinition>
  hooks: Hooks
}

type Options = NonNullable<CommandDefinition['options']>

const NETWORK: Options = {
  network: { usage: 'The network: local, amoy or polygon', type: 'string' },
}
/** Scripts written for AWS pass these; Serverless itself knows them for AWS only. */
const AWS: Options = {
  region: { usage: 'Has no effect', shortcut: 'r', type: 'string' },
  'aws-profile': { usage: 'Has no effect', type: 'string' },
}

function withCommonOptions(command: CommandDefinition): CommandDefinition {
  const commands = Object.entries(command.commands ?? {}).map(
    ([name, inner]) => [name, withCommonOptions(inner)] as const,
  )
  return {
    ...command,
    options: { ...AWS, ...NETWORK, ...command.options },
    ...(commands.length > 0 && { commands: Object.fromEntries(commands) }),
  }
}

function mergeCommands(parts: CommandPart[]): Record<string, CommandDefinition> {
  const merged: Record<string, CommandDefinition> = {}
  for (const { commands } of parts) {
    for (const [name, command] of Object.entries(commands)) {
      const known = merged[name]
      merged[name] = {
        ...known,
        ...command,
        options: { ...known?.options, ...command.options },
        commands: { ...known?.commands, ...command.commands },
      }
    }
  }
  return Object.fromEntries(Object.entries(merged).map(([name, command]) => [name, withCommonOptions(command)]))
}

/** All commands of the provider. Serverless drops them where `provider` is not ours. */
export class PeerHostCommands {
  readonly provider: PeerHostProvider
  readonly commands: Record<string, CommandDefinition>
  readonly hooks: Hooks

  constructor(provider: PeerHostProvider) {
    this.provider = provider
    const building = packageCommand(provider)
    const parts = [
      building,
      deployCommand(provider, building),
      infoCommand(provider),
      removeCommand(provider),
      invokeCommand(provider),
      invokeLocalCommand(provider, building),
      logsCommand(provider),
      metricsCommand(provider),
      versionCommands(provider),
      devCommand(provider),
    ]
    this.commands = mergeCommands(parts)
    this.hooks = Object.fromEntries(
      parts.flatMap(({ hooks }) =>
        Object.entries(hooks).map(
          ([event, hook]) => [event, () => withServerlessErrors(provider.serverless, hook)] as const,
        ),
      ),
    )
  }
}
