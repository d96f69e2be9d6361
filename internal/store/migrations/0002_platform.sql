-- +goose Up
-- The platform itself owns the chains that are declared with kubectl and name
-- no creator (identity.PlatformUserID).
INSERT INTO users (id, username, display_name, is_verified, verification_tier)
VALUES ('00000000-0000-7000-8000-000000000001', 'platform', 'Lucid platform', true, 'premium');

-- The five templates of the launchpad seed, a second apart so that the seed's
-- order (most recent first) lists them as the seed does. Supplies are in 1e-6
-- tokens.
INSERT INTO chain_templates (id, template_name, template_description, template_category, supported_language,
                             default_token_supply, documentation_url, example_chains, version, created_at, updated_at)
VALUES
    ('550e8400-e29b-41d4-a716-446655441001', 'Python Example Template',
     'High-level blockchain development with Python for rapid prototyping and data science integration',
     'general', 'python', 1000000000000000, 'https://docs.scanopy.io/templates/python',
     '["Example Chain 1", "Example Chain 2"]', '1.0.0', '2024-01-01T00:00:04Z', '2024-01-01T00:00:04Z'),
    ('550e8400-e29b-41d4-a716-446655441002', 'Golang Example Template',
     'High-performance blockchain in Go with excellent concurrency and networking capabilities',
     'defi', 'golang', 1000000000000000, 'https://docs.scanopy.io/templates/golang',
     '["Example Chain 1", "Example Chain 2"]', '1.2.0', '2024-01-01T00:00:03Z', '2024-01-01T00:00:03Z'),
    ('550e8400-e29b-41d4-a716-446655441003', 'TypeScript Example Template',
     'Full-stack blockchain development in TypeScript with one language from the chain to the browser',
     'social', 'typescript', 1000000000000000, 'https://docs.scanopy.io/templates/typescript',
     '["Example Chain 1", "Example Chain 2"]', '1.0.0', '2024-01-01T00:00:02Z', '2024-01-01T00:00:02Z'),
    ('550e8400-e29b-41d4-a716-446655441004', 'Kotlin Example Template',
     'Blockchain development on the JVM in Kotlin with null safety and structured concurrency',
     'enterprise', 'kotlin', 1000000000000000, 'https://docs.scanopy.io/templates/kotlin',
     '["Example Chain 1", "Example Chain 2"]', '1.0.0', '2024-01-01T00:00:01Z', '2024-01-01T00:00:01Z'),
    ('550e8400-e29b-41d4-a716-446655441005', 'C# Example Template',
     'Blockchain development on .NET in C# for game studios and line-of-business teams',
     'gaming', 'csharp', 1000000000000000, 'https://docs.scanopy.io/templates/csharp',
     '["Example Chain 1", "Example Chain 2"]', '1.0.0', '2024-01-01T00:00:00Z', '2024-01-01T00:00:00Z');
