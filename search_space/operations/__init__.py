"""Operations of a network: of a Design in closed form, or recorded from a module."""
