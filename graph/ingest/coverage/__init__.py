"""Reports that other runners write of what a test run covered: lcov, Cobertura, JaCoCo, Go, JUnit."""
