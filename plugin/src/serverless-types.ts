import type { Loose } from './config/types.ts'

// The parts of the Serverless Framework (serverless 3, osls 3 and 4) that the plugin touches.

export interface ServerlessLog {
  error(text: string): void
  warning(text: string): void
  notice(text?: string): void
  info(text: string): void
  debug(text: string): void
  success(text: string): void
}

export interface ServerlessProgress {
  notice(text: string): void
  update(text: string): void
  remove(): void
}

/** Third argument of a plugin's constructor. */
export interface ServerlessUtils {
  log: ServerlessLog
  /** To stdout. */
  writeText(text: string | string[]): void
  progress: { get(name: string): ServerlessProgress }
}

export type ServerlessOptions = Record<string, string | boolean | string[] | undefined>

type Schema = Record<string, unknown> & { properties: Record<string, Schema>; additionalProperties?: unknown }

export interface Serverless {
  serviceDir: string
  /** Relative to serviceDir: `serverless.yml`. */
  configurationFilename: string
  configurationInput: Loose
  processedInput: { commands: string[]; options: ServerlessOptions }
  classes: { Error: new (message: string, code: string) => Error }
  service: {
    service: string
    provider: Loose & { name: string; stage?: string }
    functions: Record<string, Loose>
    plugins?: string[] | { modules?: string[] }
    package: Loose & { path?: string }
  }
  pluginManager: {
    addPlugin(plugin: unknown): unknown
    spawn(command: string): Promise<void>
  }
  configSchemaHandler: {
    schema: Schema
    defineProvider(name: string, options: Loose): void
  }
  /** JSON and YAML are parsed. */
  utils: { readFileSync(file: string): unknown }
  setProvider(name: string, provider: unknown): void
}

export interface CommandDefinition {
  usage?: string
  lifecycleEvents?: string[]
  options?: Record<
    string,
    { usage: string; type: 'string' | 'boolean' | 'multiple'; shortcut?: string; required?: boolean }
  >
  commands?: Record<string, CommandDefinition>
}

export type Hooks = Record<string, () => Promise<void> | void>
