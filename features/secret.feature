Feature: Keeping secrets
  Tokens, the client's secret and the code verifier belong into no log and into no address; what is stored is stored so that a copy of
  the disk is of no use to anybody.

  @SECRET-01 @must @error
  Rule: Secrets are not logged, in any encoding

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the logs hold no token, no client secret and no code verifier (SECRET-01)

      Examples:
        | story               | what happens            |
        | refreshed_twice     | Two refreshes in a row  |
        | user_revokes_access | The user revokes access |

  @SECRET-02 @must @error
  Rule: Secrets travel in no URL

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then no URL and no Referer holds a token, a client secret or a code verifier (SECRET-02)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @SECRET-03 @must @error
  Rule: Secrets are not shown

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then no page and no answer holds a token or the client secret (SECRET-03)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @SECRET-04 @should @warning
  Rule: Tokens are not kept in clear text

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then no token can be read in what lies on disk (SECRET-04)

      Examples:
        | story           | what happens           |
        | refreshed_twice | Two refreshes in a row |

  @SECRET-05 @should @warning
  Rule: Token files are closed to other users

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then no other user of the machine may read a file that holds tokens (SECRET-05)

      Examples:
        | story           | what happens           |
        | refreshed_twice | Two refreshes in a row |

  @SECRET-06 @should @advice
  Rule: What a login needed is cleared

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then verifier, state and code of a completed login are in no live place any more (SECRET-06)

      Examples:
        | story                | what happens                                  |
        | login_takes_its_time | The user takes their time at the consent page |

  @SECRET-07 @should @advice
  Rule: Authorization codes are kept out of logs

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then no log line and no Referer holds an authorization code (SECRET-07)

      Examples:
        | story                | what happens                                  |
        | login_takes_its_time | The user takes their time at the consent page |

  @SECRET-08 @must @error
  Rule: No plain text file holds a token

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then no token lies in a file of plain text (SECRET-08)

      Examples:
        | story           | what happens           |
        | refreshed_twice | Two refreshes in a row |
